//! Windows: their titles, places and owners, as the display tells them.

use x11rb::errors::ReplyError;
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, Window};

use crate::desktop::failure::Failure;
use crate::desktop::screen::Screen;
use casemate_protocol::action::Area;

/// Most windows looked at.
const MOST: u32 = 256;
/// Longest title looked at, in bytes.
const LONGEST_TITLE: u32 = 4096;
/// How deep below a frame its client is looked for.
const DEPTH: usize = 4;

/// One window of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its title.
    pub title: String,
    /// Where it is.
    pub area: Area,
}

/// Looks at windows.
#[derive(Debug)]
pub struct Windows {
    list: Atom,
    name: Atom,
    text: Atom,
    owner: Atom,
}

impl Windows {
    /// Learns the numbers of the properties (EWMH 1.5).
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn learn(screen: &Screen) -> Result<Self, Failure> {
        let atom = |name: &str| -> Result<Atom, Failure> {
            Ok(screen
                .connection()
                .intern_atom(false, name.as_bytes())?
                .reply()?
                .atom)
        };
        Ok(Self {
            list: atom("_NET_CLIENT_LIST_STACKING")?,
            name: atom("_NET_WM_NAME")?,
            text: atom("UTF8_STRING")?,
            owner: atom("_NET_WM_PID")?,
        })
    }

    /// All windows that the window manager has, lowest first. One that goes away
    /// meanwhile is left out.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn list(&self, screen: &Screen) -> Result<Vec<Listed>, Failure> {
        let connection = screen.connection();
        let reply = connection
            .get_property(false, screen.root(), self.list, AtomEnum::WINDOW, 0, MOST)?
            .reply()?;
        let windows: Vec<Window> = reply
            .value32()
            .into_iter()
            .flatten()
            .take(usize::try_from(MOST).unwrap_or(0))
            .collect();
        let mut listed = Vec::new();
        for window in windows {
            if let Some(found) = alive(self.look(screen, window))? {
                listed.push(found);
            }
        }
        Ok(listed)
    }

    fn look(&self, screen: &Screen, window: Window) -> Result<Listed, ReplyError> {
        let connection = screen.connection();
        let name = connection
            .get_property(false, window, self.name, self.text, 0, LONGEST_TITLE / 4)?
            .reply()?;
        let shape = connection.get_geometry(window)?.reply()?;
        let place = connection
            .translate_coordinates(window, screen.root(), 0, 0)?
            .reply()?;
        Ok(Listed {
            title: String::from_utf8_lossy(&name.value).into_owned(),
            area: Area {
                x: place.dst_x.into(),
                y: place.dst_y.into(),
                w: shape.width.into(),
                h: shape.height.into(),
            },
        })
    }

    /// The process that says it owns the topmost window at a place; `None` if
    /// there is none or it does not say.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn owner_at(&self, screen: &Screen, x: i16, y: i16) -> Result<Option<u32>, Failure> {
        let connection = screen.connection();
        let mut window = screen.root();
        for _ in 0..DEPTH {
            let Some(below) = alive(
                connection
                    .translate_coordinates(screen.root(), window, x, y)?
                    .reply(),
            )?
            else {
                return Ok(None);
            };
            window = below.child;
            if window == x11rb::NONE {
                return Ok(None);
            }
            let owner = connection
                .get_property(false, window, self.owner, AtomEnum::CARDINAL, 0, 1)?
                .reply();
            let owner = alive(owner)?;
            if let Some(pid) = owner.and_then(|r| r.value32().and_then(|mut v| v.next())) {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    }
}

/// A window that is gone is no failure; a display that is gone is.
fn alive<T>(result: Result<T, ReplyError>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
