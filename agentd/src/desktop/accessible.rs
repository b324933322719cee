//! The accessibility bus: what applications say about their own windows.
//!
//! Elements are read in bulk, one call an application (`Cache.GetItems` of the
//! AT-SPI 2 protocol), because asking for each takes a second for a thousand.
//! Everything here is a claim of the application: numbers of elements, lengths of
//! texts and nesting are bounded, and an application that does not answer in time
//! is passed over.

use std::collections::HashMap;
use std::time::Duration;

use atspi::{Role, State};
use casemate_protocol::action::Area;
use serde::de::DeserializeOwned;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::conn::AuthMechanism;
use zbus::zvariant::{DynamicType, OwnedObjectPath, OwnedValue, Type};

use crate::desktop::failure::Failure;
use crate::desktop::{Desk, code};

/// Most applications looked at.
const APPLICATIONS: usize = 64;
/// Most elements of one application.
const ELEMENTS: usize = 20_000;
/// Longest name kept, in characters.
const NAME: usize = 1000;
/// Longest text read, in characters.
pub const TEXT: i32 = 200_000;
/// How many parents are followed.
const DEPTH: usize = 64;
/// How long an application may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

const REGISTRY: &str = "org.a11y.atspi.Registry";
const REGISTRY_PATH: &str = "/org/a11y/atspi/registry";
const ROOT: &str = "/org/a11y/atspi/accessible/root";

/// An element's address: its application's bus name and its path there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    bus: String,
    path: String,
}

/// One element of an application, as of one moment.
#[derive(Debug, Clone)]
pub struct Element {
    /// Where to ask about it.
    pub address: Address,
    /// Path of its parent in the same application.
    parent: String,
    /// Its name.
    pub name: String,
    /// Its role's number.
    role: u32,
    /// Its states, one bit each.
    states: u64,
    /// Whether its text can be read.
    pub has_text: bool,
    /// Whether it has a value.
    pub has_value: bool,
}

impl Element {
    /// The role's name, such as `push button`.
    pub fn role(&self) -> &'static str {
        Role::try_from(self.role).map_or("unknown", |role| role.name())
    }

    /// Whether its role has this name; `button` and `push button` are one role
    /// under its new and its old name.
    pub fn is_role(&self, name: &str) -> bool {
        let modern = |name: &str| name.strip_prefix("push ").unwrap_or(name).to_owned();
        modern(self.role()) == modern(&name.to_lowercase().replace(['-', '_'], " "))
    }

    /// Whether it is in a state.
    pub fn is(&self, state: State) -> bool {
        self.states & (state as u64) != 0
    }

    /// Whether it says that it is on the screen.
    pub fn is_shown(&self) -> bool {
        self.is(State::Showing) && self.is(State::Visible)
    }
}

/// All elements of all applications, as of one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    elements: Vec<Element>,
    places: HashMap<Address, usize>,
}

impl Snapshot {
    /// Every element.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The window, dialog or alert that holds an element; itself if it is one.
    pub fn window_of<'a>(&'a self, element: &'a Element) -> Option<&'a Element> {
        let mut current = element;
        for _ in 0..DEPTH {
            if ["frame", "dialog", "alert", "window", "file chooser"]
                .iter()
                .any(|role| current.is_role(role))
            {
                return Some(current);
            }
            let parent = Address {
                bus: current.address.bus.clone(),
                path: current.parent.clone(),
            };
            current = self.elements.get(*self.places.get(&parent)?)?;
        }
        None
    }

    /// The element that has the keyboard.
    ///
    /// Several may say so: one in the active window is believed first.
    pub fn focused(&self) -> Option<&Element> {
        let mut candidates = self
            .elements
            .iter()
            .filter(|e| e.is(State::Focused) && e.is(State::Showing));
        let first = candidates.next()?;
        let active = |e: &&Element| self.window_of(e).is_some_and(|w| w.is(State::Active));
        if active(&first) {
            Some(first)
        } else {
            candidates.find(active).or(Some(first))
        }
    }

    fn push(&mut self, element: Element) {
        self.places
            .insert(element.address.clone(), self.elements.len());
        self.elements.push(element);
    }
}

type Reference = (String, OwnedObjectPath);
/// `Cache.GetItems` of at-spi2-core: object, application, parent, index, children,
/// interfaces, name, role, description, states.
type Item = (
    Reference,
    Reference,
    Reference,
    i32,
    i32,
    Vec<String>,
    String,
    u32,
    String,
    Vec<u32>,
);

/// The connection to a desk's accessibility bus.
#[derive(Debug)]
pub struct Accessibility {
    bus: Connection,
}

impl Accessibility {
    /// Connects, and waits until the registry answers.
    ///
    /// The bus lets every client in (see `session/settings.rs`), so there is
    /// nothing to prove.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn connect(desk: &Desk) -> Result<Self, Failure> {
        let lost = |e: zbus::Error| {
            Failure::new(
                &code::LOST,
                format!("the accessibility bus cannot be used: {e}"),
            )
        };
        let address = format!("unix:path={}", desk.bus_socket().display());
        let bus = Builder::address(address.as_str())
            .map_err(lost)?
            .auth_mechanism(AuthMechanism::Anonymous)
            .method_timeout(PATIENCE)
            .build()
            .map_err(lost)?;
        let this = Self { bus };
        // An application keeps its cache only once somebody listens to something;
        // this is the event that happens least.
        let nothing: (&str, &[&str], &str) = ("window:desktop-destroy", &[], "");
        let _: () = this
            .ask(REGISTRY, REGISTRY_PATH, REGISTRY, "RegisterEvent", &nothing)
            .map_err(lost)?;
        Ok(this)
    }

    /// What all applications show now. Ones that do not answer are left out.
    ///
    /// # Errors
    /// `desktop.lost` if the registry does not answer.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        let applications = self.applications().map_err(|e| {
            Failure::new(
                &code::LOST,
                format!("the accessibility registry failed: {e}"),
            )
        })?;
        let mut snapshot = Snapshot::default();
        for (bus, _) in applications {
            let items: zbus::Result<Vec<Item>> = self.ask(
                &bus,
                "/org/a11y/atspi/cache",
                "org.a11y.atspi.Cache",
                "GetItems",
                &(),
            );
            for item in items.unwrap_or_default().into_iter().take(ELEMENTS) {
                snapshot.push(element(item));
            }
        }
        Ok(snapshot)
    }

    fn applications(&self) -> zbus::Result<Vec<Reference>> {
        let mut list: Vec<Reference> = self.ask(
            REGISTRY,
            ROOT,
            "org.a11y.atspi.Accessible",
            "GetChildren",
            &(),
        )?;
        list.truncate(APPLICATIONS);
        Ok(list)
    }

    /// Where an element is on the screen. `None` if it does not say, says it has
    /// no size, or is gone.
    pub fn area(&self, address: &Address) -> Option<Area> {
        /// Coordinates of the screen, not of the window.
        const SCREEN: u32 = 0;
        let (x, y, w, h): (i32, i32, i32, i32) = self
            .call(
                address,
                "org.a11y.atspi.Component",
                "GetExtents",
                &(SCREEN,),
            )
            .ok()?;
        (w > 0 && h > 0 && x > i32::MIN && y > i32::MIN).then_some(Area { x, y, w, h })
    }

    /// The text of an element with the text interface, at most [`TEXT`] characters.
    pub fn text(&self, address: &Address) -> Option<String> {
        self.call(
            address,
            "org.a11y.atspi.Text",
            "GetText",
            &(0, self.length(address)?),
        )
        .ok()
    }

    /// Number of characters of its text, at most [`TEXT`].
    fn length(&self, address: &Address) -> Option<i32> {
        let length =
            i32::try_from(self.property(address, "org.a11y.atspi.Text", "CharacterCount")?);
        Some(length.ok()?.clamp(0, TEXT))
    }

    /// Where its caret is.
    pub fn caret(&self, address: &Address) -> Option<i32> {
        i32::try_from(self.property(address, "org.a11y.atspi.Text", "CaretOffset")?).ok()
    }

    /// Its selected characters, from and to; equal if none are.
    pub fn selection(&self, address: &Address) -> Option<(i32, i32)> {
        self.call(address, "org.a11y.atspi.Text", "GetSelection", &(0,))
            .ok()
    }

    /// Its value, of a slider or a spin button.
    pub fn value(&self, address: &Address) -> Option<f64> {
        f64::try_from(self.property(address, "org.a11y.atspi.Value", "CurrentValue")?).ok()
    }

    /// The process that owns an element's application.
    pub fn owner(&self, address: &Address) -> Option<u32> {
        let bus = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        self.ask(
            bus,
            path,
            bus,
            "GetConnectionUnixProcessID",
            &(address.bus.as_str(),),
        )
        .ok()
    }

    fn property(&self, address: &Address, interface: &str, name: &str) -> Option<OwnedValue> {
        self.call(
            address,
            "org.freedesktop.DBus.Properties",
            "Get",
            &(interface, name),
        )
        .ok()
    }

    fn call<B, R>(
        &self,
        address: &Address,
        interface: &str,
        member: &str,
        body: &B,
    ) -> zbus::Result<R>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        self.ask(&address.bus, &address.path, interface, member, body)
    }

    fn ask<B, R>(
        &self,
        bus: &str,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) -> zbus::Result<R>
    where
        B: serde::Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let reply = self
            .bus
            .call_method(Some(bus), path, Some(interface), member, body)?;
        reply.body().deserialize()
    }
}

fn element(item: Item) -> Element {
    let ((bus, path), _, (_, parent), _, _, interfaces, name, role, _, states) = item;
    let bits = |index: usize| u64::from(states.get(index).copied().unwrap_or_default());
    Element {
        address: Address {
            bus,
            path: path.to_string(),
        },
        parent: parent.to_string(),
        name: if name.len() > NAME {
            name.chars().take(NAME).collect()
        } else {
            name
        },
        role,
        states: bits(0) | bits(1) << 32,
        has_text: interfaces.iter().any(|name| name == "org.a11y.atspi.Text"),
        has_value: interfaces.iter().any(|name| name == "org.a11y.atspi.Value"),
    }
}
