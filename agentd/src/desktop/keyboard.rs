//! Keys: chords by name, and any character by a key that is made to mean it.
//!
//! A character that the key map does not have is put on a keycode that means
//! nothing. The mapping is left there: an application looks a key up when it
//! handles it, which may be long after it was pressed, so a keycode is given a
//! new meaning only when no other is left, and then the caller first lets the
//! application catch up.

use std::collections::{HashMap, VecDeque};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode, Keysym,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use crate::desktop::code;
use crate::desktop::failure::{Failure, quoted};

const SHIFT: Keysym = 0xffe1;
const RETURN: Keysym = 0xff0d;
const TAB: Keysym = 0xff09;

/// Key names that chords may have beside single characters and F1 to F12.
const NAMES: [(&str, Keysym); 26] = [
    ("return", RETURN),
    ("enter", RETURN),
    ("tab", TAB),
    ("escape", 0xff1b),
    ("backspace", 0xff08),
    ("delete", 0xffff),
    ("insert", 0xff63),
    ("home", 0xff50),
    ("left", 0xff51),
    ("up", 0xff52),
    ("right", 0xff53),
    ("down", 0xff54),
    ("page_up", 0xff55),
    ("pageup", 0xff55),
    ("prior", 0xff55),
    ("page_down", 0xff56),
    ("pagedown", 0xff56),
    ("next", 0xff56),
    ("end", 0xff57),
    ("space", 0x20),
    ("plus", 0x2b),
    ("minus", 0x2d),
    ("menu", 0xff67),
    ("kp_enter", 0xff8d),
    ("slash", 0x2f),
    ("period", 0x2e),
];

/// Modifier names.
const MODIFIERS: [(&str, Keysym); 6] = [
    ("ctrl", 0xffe3),
    ("control", 0xffe3),
    ("shift", SHIFT),
    ("alt", 0xffe9),
    ("super", 0xffeb),
    ("meta", 0xffe7),
];

/// A key with the modifiers to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chord {
    modifiers: Vec<Keysym>,
    key: Keysym,
}

impl Chord {
    /// From `ctrl+shift+s`, `Return`, `F11`, `f`.
    ///
    /// # Errors
    /// `desktop.invalid`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = || Failure::new(&code::INVALID, format!("there is no key {}", quoted(text)));
        let (held, last) = match text.strip_suffix("++") {
            Some(held) => (Some(held), "+"),
            None if text == "+" => (None, text),
            None => text
                .rsplit_once('+')
                .map_or((None, text), |(held, last)| (Some(held), last)),
        };
        let mut modifiers = Vec::new();
        for name in held.into_iter().flat_map(|held| held.split('+')).take(8) {
            let name = name.to_ascii_lowercase();
            let found = MODIFIERS
                .iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(invalid)?;
            modifiers.push(found.1);
        }
        Ok(Self {
            modifiers,
            key: key_named(last).ok_or_else(invalid)?,
        })
    }
}

fn key_named(name: &str) -> Option<Keysym> {
    let mut characters = name.chars();
    if let (Some(only), None) = (characters.next(), characters.next()) {
        return keysym(only);
    }
    let lower = name.to_ascii_lowercase();
    let function = lower.strip_prefix('f').and_then(|n| n.parse::<u32>().ok());
    if let Some(number @ 1..=12) = function {
        return 0xffbd_u32.checked_add(number);
    }
    NAMES
        .iter()
        .find(|(known, _)| *known == lower)
        .map(|(_, keysym)| *keysym)
}

/// The keysym of a character (X11 protocol, appendix A): Latin-1 as it is, the
/// rest of Unicode with bit 24 set. `None` for control characters that no key is.
pub fn keysym(character: char) -> Option<Keysym> {
    match character {
        '\n' => Some(RETURN),
        '\t' => Some(TAB),
        ' '..='~' | '\u{a0}'..='\u{ff}' => Some(character.into()),
        c if c.is_control() => None,
        c => Some(0x0100_0000 | u32::from(c)),
    }
}

/// The key map of a display and how to press its keys.
#[derive(Debug)]
pub struct Keyboard {
    /// Where a keysym is: its keycode, and whether Shift is held.
    places: HashMap<Keysym, (Keycode, bool)>,
    /// Keycodes without a meaning.
    spare: Vec<Keycode>,
    /// Keycodes that were given one, oldest first.
    given: VecDeque<(Keycode, Keysym)>,
}

impl Keyboard {
    /// Reads the key map.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn read(connection: &RustConnection) -> Result<Self, Failure> {
        let (low, high) = (
            connection.setup().min_keycode,
            connection.setup().max_keycode,
        );
        let count = high.saturating_sub(low).saturating_add(1);
        let map = connection.get_keyboard_mapping(low, count)?.reply()?;
        let width = usize::from(map.keysyms_per_keycode).max(1);
        let mut places = HashMap::new();
        let mut spare = Vec::new();
        for (keycode, keysyms) in (low..=high).zip(map.keysyms.chunks(width)) {
            if keysyms.iter().all(|keysym| *keysym == 0) {
                spare.push(keycode);
            }
            for (keysym, shifted) in keysyms.iter().zip([false, true]) {
                if *keysym != 0 {
                    places.entry(*keysym).or_insert((keycode, shifted));
                }
            }
        }
        Ok(Self {
            places,
            spare,
            given: VecDeque::new(),
        })
    }

    /// How many characters of `text` can be pressed without giving a key that is
    /// in use another meaning; at least one.
    pub fn pressable(&self, text: &str) -> usize {
        let mut free = self.spare.len();
        let mut new = Vec::new();
        for (count, character) in text.chars().enumerate() {
            let Some(keysym) = keysym(character) else {
                continue;
            };
            if self.places.contains_key(&keysym) || new.contains(&keysym) {
                continue;
            }
            if free == 0 && !new.is_empty() {
                return count.max(1);
            }
            free = free.saturating_sub(1);
            new.push(keysym);
        }
        text.chars().count()
    }

    /// Presses and releases the keys of a text.
    ///
    /// # Errors
    /// `desktop.invalid` for a character that no key can be, `desktop.lost`.
    pub fn press_text(&mut self, connection: &RustConnection, text: &str) -> Result<(), Failure> {
        let mut keys = Vec::new();
        for character in text.chars() {
            let keysym = keysym(character).ok_or_else(|| {
                let number = u32::from(character);
                Failure::new(&code::INVALID, format!("U+{number:04X} cannot be typed"))
            })?;
            keys.push(self.place(connection, keysym)?);
        }
        let shift = self.place(connection, SHIFT)?.0;
        let mut held = false;
        for (keycode, shifted) in keys {
            if shifted != held {
                key(connection, shift, shifted)?;
                held = shifted;
            }
            key(connection, keycode, true)?;
            key(connection, keycode, false)?;
        }
        if held {
            key(connection, shift, false)?;
        }
        sync(connection)
    }

    /// Presses and releases one chord.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn press(&mut self, connection: &RustConnection, chord: &Chord) -> Result<(), Failure> {
        let (keycode, shifted) = self.place(connection, chord.key)?;
        let mut modifiers = chord.modifiers.clone();
        if shifted && !modifiers.contains(&SHIFT) {
            modifiers.push(SHIFT);
        }
        let mut held = Vec::new();
        for modifier in modifiers {
            held.push(self.place(connection, modifier)?.0);
        }
        for modifier in &held {
            key(connection, *modifier, true)?;
        }
        key(connection, keycode, true)?;
        key(connection, keycode, false)?;
        for modifier in held.iter().rev() {
            key(connection, *modifier, false)?;
        }
        sync(connection)
    }

    /// Where a keysym is, after giving it a place if it has none.
    fn place(
        &mut self,
        connection: &RustConnection,
        keysym: Keysym,
    ) -> Result<(Keycode, bool), Failure> {
        if let Some(place) = self.places.get(&keysym) {
            return Ok(*place);
        }
        let keycode = match self.spare.pop() {
            Some(keycode) => keycode,
            None => {
                let none = || Failure::new(&code::LOST, "the key map has no free key");
                let (keycode, old) = self.given.pop_front().ok_or_else(none)?;
                self.places.remove(&old);
                keycode
            }
        };
        // The same on both levels, so that Shift does not matter.
        connection
            .change_keyboard_mapping(1, keycode, 2, &[keysym, keysym])?
            .check()?;
        self.given.push_back((keycode, keysym));
        self.places.insert(keysym, (keycode, false));
        Ok((keycode, false))
    }
}

fn key(connection: &RustConnection, keycode: Keycode, down: bool) -> Result<(), Failure> {
    let kind = if down {
        KEY_PRESS_EVENT
    } else {
        KEY_RELEASE_EVENT
    };
    connection.xtest_fake_input(kind, keycode, 0, 0, 0, 0, 0)?;
    Ok(())
}

/// Returns when the display has handled everything sent so far.
pub fn sync(connection: &RustConnection) -> Result<(), Failure> {
    connection.get_input_focus()?.reply()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_read_or_refused() {
        let chord = |modifiers: &[Keysym], key| Chord {
            modifiers: modifiers.to_vec(),
            key,
        };
        assert_eq!(Chord::parse("ctrl+s").unwrap(), chord(&[0xffe3], 0x73));
        assert_eq!(
            Chord::parse("Ctrl+Shift+F11").unwrap(),
            chord(&[0xffe3, SHIFT], 0xffc8)
        );
        assert_eq!(Chord::parse("Return").unwrap(), chord(&[], RETURN));
        assert_eq!(Chord::parse("ctrl++").unwrap(), chord(&[0xffe3], 0x2b));
        assert_eq!(Chord::parse("+").unwrap(), chord(&[], 0x2b));
        assert_eq!(Chord::parse("ö").unwrap(), chord(&[], 0xf6));
        for wrong in ["", "hyper+s", "F13", "f0", "nokey", "ctrl+", "\u{1}"] {
            assert_eq!(
                Chord::parse(wrong).unwrap_err().code.id,
                "desktop.invalid",
                "{wrong}"
            );
        }
    }

    #[test]
    fn characters_have_the_keysyms_of_the_protocol() {
        assert_eq!(keysym('a'), Some(0x61));
        assert_eq!(keysym('ß'), Some(0xdf));
        assert_eq!(keysym('€'), Some(0x0100_20ac));
        assert_eq!(keysym('\n'), Some(RETURN));
        assert_eq!(keysym('\u{7f}'), None);
    }
}
