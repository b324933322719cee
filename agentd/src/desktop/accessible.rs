//! The accessibility bus: what applications say about their own windows.
//!
//! Elements are read in bulk, one call an application (`Cache.GetItems` of the
//! AT-SPI 2 protocol), because asking for each takes a second for a thousand.
//! An application's cache lacks what it shows later without saying so, such as
//! evince's error bar: where a shown element has more children than the cache
//! knows, those alone are asked one by one.
//! Everything here is a claim of the application: numbers of elements, lengths of
//! texts and nesting are bounded, and an application that does not answer in time
//! is passed over.

use std::time::{Duration, Instant};

use casemate_protocol::action::Area;
use serde::de::DeserializeOwned;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::conn::AuthMechanism;
use zbus::zvariant::{DynamicType, OwnedValue, Type};

use crate::desktop::element::{Address, Element, Item, Reference, Snapshot};
use crate::desktop::failure::Failure;
use crate::desktop::{Desk, code};

/// Most applications looked at.
const APPLICATIONS: usize = 64;
/// Most elements of one application.
const ELEMENTS: usize = 20_000;
/// Most elements of one snapshot that are asked one by one.
const ASKED: usize = 400;
/// Longest text read, in characters.
pub const TEXT: i32 = 200_000;
/// How long an application may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the registry may take to start.
const START: Duration = Duration::from_secs(30);

const REGISTRY: &str = "org.a11y.atspi.Registry";
const REGISTRY_PATH: &str = "/org/a11y/atspi/registry";
const ROOT: &str = "/org/a11y/atspi/accessible/root";

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
        let deadline = Instant::now() + START;
        loop {
            let asked = this.ask(REGISTRY, REGISTRY_PATH, REGISTRY, "RegisterEvent", &nothing);
            match asked {
                Ok(()) => return Ok(this),
                Err(e) if is_late(&e) && Instant::now() < deadline => {}
                Err(e) => return Err(lost(e)),
            }
        }
    }

    /// What all applications show now. Ones that do not answer in time are left
    /// out; so is everything if the registry does not.
    ///
    /// # Errors
    /// `desktop.lost` if the bus or the registry is gone.
    pub fn snapshot(&self) -> Result<Snapshot, Failure> {
        let mut snapshot = Snapshot::default();
        let applications = match self.children(REGISTRY, ROOT) {
            Ok(applications) => applications,
            Err(e) if is_late(&e) => return Ok(snapshot),
            Err(e) => {
                let message = format!("the accessibility registry failed: {e}");
                return Err(Failure::new(&code::LOST, message));
            }
        };
        for (bus, _) in applications.into_iter().take(APPLICATIONS) {
            let cache = "/org/a11y/atspi/cache";
            let items: zbus::Result<Vec<Item>> =
                self.ask(&bus, cache, "org.a11y.atspi.Cache", "GetItems", &());
            for item in items.unwrap_or_default().into_iter().take(ELEMENTS) {
                snapshot.push(Element::cached(item));
            }
        }
        self.complete(&mut snapshot);
        Ok(snapshot)
    }

    /// Asks for what the caches lack, within bounds of number and time.
    fn complete(&self, snapshot: &mut Snapshot) {
        let deadline = Instant::now() + PATIENCE;
        let mut parents = snapshot.incomplete();
        let mut asked = 0usize;
        while let Some(parent) = parents.pop() {
            let children = self.children(&parent.bus, &parent.path).unwrap_or_default();
            for (bus, path) in children {
                let address = Address {
                    bus,
                    path: path.to_string(),
                };
                if address.bus != parent.bus || snapshot.knows(&address) {
                    continue;
                }
                asked = asked.saturating_add(1);
                if asked > ASKED || Instant::now() > deadline {
                    return;
                }
                if let Ok(element) = self.element(&address, &parent) {
                    snapshot.push(element);
                    parents.push(address);
                }
            }
        }
    }

    fn element(&self, address: &Address, parent: &Address) -> zbus::Result<Element> {
        const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
        let name = self
            .property(address, ACCESSIBLE, "Name")
            .unwrap_or_default();
        let role: u32 = self.call(address, ACCESSIBLE, "GetRole", &())?;
        let states: Vec<u32> = self.call(address, ACCESSIBLE, "GetState", &())?;
        let interfaces: Vec<String> = self.call(address, ACCESSIBLE, "GetInterfaces", &())?;
        let parent = parent.path.clone();
        Ok(Element::of(
            address.clone(),
            parent,
            name,
            role,
            &states,
            &interfaces,
        ))
    }

    fn children(&self, bus: &str, path: &str) -> zbus::Result<Vec<Reference>> {
        self.ask(bus, path, "org.a11y.atspi.Accessible", "GetChildren", &())
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
        let length: i32 = self.property(address, "org.a11y.atspi.Text", "CharacterCount")?;
        Some(length.clamp(0, TEXT))
    }

    /// Where its caret is.
    pub fn caret(&self, address: &Address) -> Option<i32> {
        self.property(address, "org.a11y.atspi.Text", "CaretOffset")
    }

    /// Its selected characters, from and to; equal if none are.
    pub fn selection(&self, address: &Address) -> Option<(i32, i32)> {
        self.call(address, "org.a11y.atspi.Text", "GetSelection", &(0,))
            .ok()
    }

    /// Its value, of a slider or a spin button.
    pub fn value(&self, address: &Address) -> Option<f64> {
        self.property(address, "org.a11y.atspi.Value", "CurrentValue")
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

    fn property<T: TryFrom<OwnedValue>>(
        &self,
        address: &Address,
        interface: &str,
        name: &str,
    ) -> Option<T> {
        let properties = "org.freedesktop.DBus.Properties";
        let value: OwnedValue = self
            .call(address, properties, "Get", &(interface, name))
            .ok()?;
        T::try_from(value).ok()
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

/// Whether a call was not answered in time, as when an application is busy.
fn is_late(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::InputOutput(e) if e.kind() == std::io::ErrorKind::TimedOut)
}
