//! Bringing the desktop up: display and buses at once, then the window manager.
//!
//! Nothing is waited for by time: the display and the buses say on a pipe that
//! they listen, the window manager by a property of the root window.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConnectionExt, EventMask, Window,
};
use x11rb::rust_connection::RustConnection;

use super::program::{Output, Program};
use super::settings::Settings;
use crate::desktop::screen;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest line by which a program says that it is ready.
const LONGEST_LINE: usize = 4096;
/// Sides of a screen.
const SIDES: std::ops::RangeInclusive<u32> = 320..=4096;

/// Why the desktop did not come up.
#[derive(Debug, Error)]
pub(super) enum StartError {
    #[error("a screen of {0} by {1} pixels is not served")]
    Size(u32, u32),
    #[error("{0} is not the folder that X servers listen in")]
    Folder(String),
    #[error("{program} cannot be started: {source}")]
    Spawn {
        program: &'static str,
        source: io::Error,
    },
    #[error("{program} ended before it was ready: {said}")]
    Ended { program: &'static str, said: String },
    #[error("{0} was not ready in time")]
    Late(&'static str),
    #[error("the display cannot be used: {0}")]
    Display(String),
}

/// The desktop's programs, all running.
#[derive(Debug)]
pub(super) struct Up {
    display: Program,
    session_bus: Program,
    accessibility_bus: Program,
    windows: Program,
}

impl Up {
    /// Starts everything and waits until applications can be opened.
    pub(super) fn bring(settings: &Settings, width: u32, height: u32) -> Result<Self, StartError> {
        if !SIDES.contains(&width) || !SIDES.contains(&height) {
            return Err(StartError::Size(width, height));
        }
        check_x_folder(&settings.desk().x_folder())?;
        let deadline = Instant::now() + PATIENCE;
        let bus = |config: &Path| {
            let config = format!("--config-file={}", config.display());
            [
                "/usr/bin/dbus-daemon",
                &config,
                "--nofork",
                "--nopidfile",
                "--print-address=1",
            ]
            .map(str::to_owned)
            .to_vec()
        };
        let mut display = start(
            "Xvnc",
            &display_command(settings, width, height),
            settings,
            Output::Pipe,
        )?;
        let mut session_bus = start(
            "session-bus",
            &bus(&settings.session_config()),
            settings,
            Output::Pipe,
        )?;
        let mut accessibility_bus = start(
            "accessibility-bus",
            &bus(&settings.accessibility_config()),
            settings,
            Output::Pipe,
        )?;
        ready("Xvnc", &mut display, settings, deadline)?;
        let manager = ["/usr/bin/openbox", "--sm-disable", "--config-file"]
            .map(str::to_owned)
            .into_iter()
            .chain([settings.openbox_config().display().to_string()])
            .collect::<Vec<_>>();
        let windows = start("openbox", &manager, settings, Output::Log)?;
        ready("session-bus", &mut session_bus, settings, deadline)?;
        ready(
            "accessibility-bus",
            &mut accessibility_bus,
            settings,
            deadline,
        )?;
        let mut up = Self {
            display,
            session_bus,
            accessibility_bus,
            windows,
        };
        up.wait_for_manager(settings, deadline)?;
        Ok(up)
    }

    /// The programs without which there is no desktop.
    pub(super) fn vital(&self) -> Vec<(&'static str, &Program)> {
        vec![
            ("the display", &self.display),
            ("the accessibility bus", &self.accessibility_bus),
            ("the session bus", &self.session_bus),
            ("the window manager", &self.windows),
        ]
    }

    /// Waits for `_NET_SUPPORTING_WM_CHECK` (EWMH 1.5, "Root Window Properties").
    fn wait_for_manager(
        &mut self,
        settings: &Settings,
        deadline: Instant,
    ) -> Result<(), StartError> {
        let lost = |e: &dyn std::fmt::Display| StartError::Display(e.to_string());
        let connection = screen::connect(settings.desk()).map_err(|e| lost(&e))?;
        let root = screen::root(&connection).ok_or(StartError::Display("no screen".to_owned()))?;
        let check = connection
            .intern_atom(false, b"_NET_SUPPORTING_WM_CHECK")
            .map_err(|e| lost(&e))?
            .reply()
            .map_err(|e| lost(&e))?
            .atom;
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        connection
            .change_window_attributes(root, &watch)
            .map_err(|e| lost(&e))?;
        while !managed(&connection, root, check).map_err(|e| lost(&e))? {
            if self.windows.ended() {
                return Err(ended("openbox", settings));
            }
            let left = left(deadline).ok_or(StartError::Late("openbox"))?;
            let stream = connection.stream().as_fd();
            wait_either(stream, self.windows.pidfd().as_fd(), left);
            while let Some(event) = connection.poll_for_event().map_err(|e| lost(&e))? {
                // Only that something happened matters.
                let _: Event = event;
            }
        }
        Ok(())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        for program in [
            &mut self.windows,
            &mut self.display,
            &mut self.accessibility_bus,
            &mut self.session_bus,
        ] {
            let _last_effort = program.end();
        }
    }
}

fn managed(
    connection: &RustConnection,
    root: Window,
    check: u32,
) -> Result<bool, x11rb::errors::ReplyError> {
    let reply = connection
        .get_property(false, root, check, AtomEnum::WINDOW, 0, 1)?
        .reply()?;
    Ok(reply
        .value32()
        .and_then(|mut values| values.next())
        .is_some())
}

/// Screen without TCP or abstract socket, its live view on an owner-only socket.
fn display_command(settings: &Settings, width: u32, height: u32) -> Vec<String> {
    let desk = settings.desk();
    let mut command = vec![
        "/usr/bin/Xtigervnc".to_owned(),
        format!(":{}", crate::desktop::DISPLAY),
    ];
    command.extend(["-geometry".to_owned(), format!("{width}x{height}")]);
    command.extend(["-auth".to_owned(), desk.x_authority().display().to_string()]);
    command.extend([
        "-rfbunixpath".to_owned(),
        desk.view_socket().display().to_string(),
    ]);
    command.extend(
        "-rfbunixmode 0600 -rfbport -1 -SecurityTypes None -nolisten tcp -nolisten local \
         -depth 24 -dpi 96 -displayfd 1 -noreset -br -s 0 -desktop casemate -AlwaysShared \
         -AcceptSetDesktopSize=0 -AcceptCutText=0 -SendCutText=0 -Log *:stderr:10"
            .split_whitespace()
            .map(str::to_owned),
    );
    command
}

/// X servers listen in this folder and nowhere else: it must be the desk's.
fn check_x_folder(desk: &Path) -> Result<(), StartError> {
    let folder = Path::new("/tmp/.X11-unix");
    let same = match (fs::metadata(folder), fs::metadata(desk)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    };
    if same {
        Ok(())
    } else {
        Err(StartError::Folder(folder.display().to_string()))
    }
}

fn start(
    program: &'static str,
    argv: &[String],
    settings: &Settings,
    output: Output,
) -> Result<Program, StartError> {
    Program::start(
        argv,
        &settings.environment(),
        &settings.log(program),
        output,
    )
    .map_err(|source| StartError::Spawn { program, source })
}

/// Waits for a whole line on a program's pipe.
///
/// A line and not its first bytes: the X server writes number and line feed one
/// after the other, and ends if the pipe is closed in between.
fn ready(
    name: &'static str,
    program: &mut Program,
    settings: &Settings,
    deadline: Instant,
) -> Result<(), StartError> {
    let mut pipe = File::from(program.take_pipe().ok_or(StartError::Late(name))?);
    let mut line = Vec::new();
    while line.len() < LONGEST_LINE {
        let left = left(deadline).ok_or(StartError::Late(name))?;
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let _either = poll(&mut fds, left);
        if fds.first().and_then(PollFd::any) != Some(true) {
            continue;
        }
        let mut bytes = [0; 256];
        match pipe.read(&mut bytes) {
            Ok(count @ 1..) => line.extend_from_slice(bytes.get(..count).unwrap_or_default()),
            _ => return Err(ended(name, settings)),
        }
        if line.contains(&b'\n') {
            return Ok(());
        }
    }
    Err(ended(name, settings))
}

fn ended(program: &'static str, settings: &Settings) -> StartError {
    let text = fs::read(settings.log(program)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    let said = last.chars().filter(|c| !c.is_control()).take(200).collect();
    StartError::Ended { program, said }
}

fn left(deadline: Instant) -> Option<PollTimeout> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        None
    } else {
        PollTimeout::try_from(left).ok()
    }
}

fn wait_either(a: BorrowedFd<'_>, b: BorrowedFd<'_>, left: PollTimeout) {
    let mut fds = [
        PollFd::new(a, PollFlags::POLLIN),
        PollFd::new(b, PollFlags::POLLIN),
    ];
    let _either = poll(&mut fds, left);
}
