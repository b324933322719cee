//! Elements of windows, as their applications describe them at one moment.

use std::collections::HashMap;

use atspi::{Role, State};
use zbus::zvariant::OwnedObjectPath;

/// Longest name kept, in characters.
const NAME: usize = 1000;
/// How many parents are followed.
const DEPTH: usize = 64;

/// An element's address: its application's bus name and its path there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Its application's unique name on the bus.
    pub bus: String,
    /// Its path there.
    pub path: String,
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
    /// How many children it says it has; negative if it does not say.
    children: i32,
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

    /// Shown elements of which fewer children are known than they say they have.
    pub(super) fn incomplete(&self) -> Vec<Address> {
        let mut known: HashMap<(&str, &str), i32> = HashMap::new();
        for element in &self.elements {
            let count = known
                .entry((&element.address.bus, &element.parent))
                .or_default();
            *count = count.saturating_add(1);
        }
        let count = |e: &Element| {
            known
                .get(&(e.address.bus.as_str(), e.address.path.as_str()))
                .copied()
                .unwrap_or(0)
        };
        self.elements
            .iter()
            .filter(|e| e.is(State::Showing) && e.children > count(e))
            .map(|e| e.address.clone())
            .collect()
    }

    /// Whether an element is known.
    pub(super) fn knows(&self, address: &Address) -> bool {
        self.places.contains_key(address)
    }

    pub(super) fn push(&mut self, element: Element) {
        self.places
            .insert(element.address.clone(), self.elements.len());
        self.elements.push(element);
    }
}

/// An element's application and path on the bus.
pub(super) type Reference = (String, OwnedObjectPath);
/// `Cache.GetItems` of at-spi2-core: object, application, parent, index, children,
/// interfaces, name, role, description, states.
pub(super) type Item = (
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

impl Element {
    /// From an application's cache.
    pub(super) fn cached(item: Item) -> Self {
        let ((bus, path), _, (_, parent), _, children, interfaces, name, role, _, states) = item;
        let address = Address {
            bus,
            path: path.to_string(),
        };
        Self {
            children,
            ..Self::of(
                address,
                parent.to_string(),
                name,
                role,
                &states,
                &interfaces,
            )
        }
    }

    /// From single answers; its children are not known.
    pub(super) fn of(
        address: Address,
        parent: String,
        name: String,
        role: u32,
        states: &[u32],
        interfaces: &[String],
    ) -> Self {
        let bits = |index: usize| u64::from(states.get(index).copied().unwrap_or_default());
        let has = |interface: &str| interfaces.iter().any(|name| name == interface);
        Self {
            address,
            parent,
            name: if name.len() > NAME {
                name.chars().take(NAME).collect()
            } else {
                name
            },
            children: -1,
            role,
            states: bits(0) | bits(1) << 32,
            has_text: has("org.a11y.atspi.Text"),
            has_value: has("org.a11y.atspi.Value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(path: &str, parent: &str, children: i32, states: State) -> Element {
        let address = Address {
            bus: ":1.2".to_owned(),
            path: path.to_owned(),
        };
        let bits = states as u64;
        let states = [(bits & 0xffff_ffff) as u32, (bits >> 32) as u32];
        let role = Role::Button as u32;
        let of = Element::of(address, parent.to_owned(), "OK".into(), role, &states, &[]);
        Element { children, ..of }
    }

    #[test]
    fn a_role_has_its_old_and_its_new_name() {
        let button = element("/a", "/", 0, State::Showing);
        for name in ["push button", "button", "Push-Button", "push_button"] {
            assert!(button.is_role(name), "{name}");
        }
        assert!(!button.is_role("toggle button"));
    }

    #[test]
    fn what_lacks_children_is_incomplete_if_it_is_shown() {
        let mut snapshot = Snapshot::default();
        snapshot.push(element("/a", "/", 2, State::Showing));
        snapshot.push(element("/b", "/a", 0, State::Showing));
        snapshot.push(element("/c", "/b", 5, State::Visible));
        let paths: Vec<String> = snapshot.incomplete().into_iter().map(|a| a.path).collect();
        assert_eq!(paths, ["/a"]);
    }

    #[test]
    fn a_ring_of_parents_ends() {
        let mut snapshot = Snapshot::default();
        snapshot.push(element("/a", "/b", 0, State::Focused));
        snapshot.push(element("/b", "/a", 0, State::Showing));
        assert!(snapshot.window_of(&snapshot.elements()[0]).is_none());
    }
}
