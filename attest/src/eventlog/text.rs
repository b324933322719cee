//! Text that a log carries, shown without anything that a terminal or a page would obey.

use std::fmt::{self, Write as _};

/// Text of an event: borrowed, of outside origin. Shown by `Display` with every control
/// character and every character that changes the direction of writing replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Text<'b> {
    /// UTF-8, which ASCII is. Without the zero at its end.
    Utf8(&'b str),
    /// UTF-16 as UEFI writes it. Without the zero at its end.
    Utf16(Utf16<'b>),
}

/// UTF-16, little-endian, as it stands in a structure; it may hold unpaired surrogates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Utf16<'b>(&'b [[u8; 2]]);

impl<'b> Utf16<'b> {
    /// The text of these bytes: `None` for an odd number of them. Zeros at the end are no part
    /// of it.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Option<Self> {
        let (units, rest) = bytes.as_chunks::<2>();
        rest.is_empty().then(|| {
            let ends = units.iter().rposition(|unit| *unit != [0; 2]);
            let len = ends.map_or(0, |last| last.saturating_add(1));
            Self(units.get(..len).unwrap_or_default())
        })
    }

    /// The same, but a zero at the end is a part of it.
    pub(super) const fn exact(bytes: &'b [u8]) -> Option<Self> {
        let (units, rest) = bytes.as_chunks::<2>();
        if rest.is_empty() {
            Some(Self(units))
        } else {
            None
        }
    }

    /// The characters; an unpaired surrogate becomes U+FFFD.
    pub fn chars(self) -> impl Iterator<Item = char> + 'b {
        let units = self.0.iter().map(|unit| u16::from_le_bytes(*unit));
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Whether it is exactly this text: a replacement character equals nothing.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        let units = self.0.iter().map(|unit| u16::from_le_bytes(*unit));
        text.encode_utf16().eq(units)
    }

    /// Whether there is no character.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Almost any bytes are UTF-16 of some script: only mostly Latin text is taken for text.
    fn is_plausible(self) -> bool {
        let latin = self.chars().filter(|c| u32::from(*c) < 0x250).count();
        let enough = latin.saturating_mul(4) >= self.0.len().saturating_mul(3);
        !self.is_empty() && enough && self.chars().all(plain)
    }
}

impl<'b> Text<'b> {
    /// The text of a payload that may be UTF-8 or UTF-16, as loaders write either. `None` if it
    /// is neither; bytes that could be both are UTF-8.
    #[must_use]
    pub fn guess(bytes: &'b [u8]) -> Option<Self> {
        let trimmed = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        if let Some(text) = std::str::from_utf8(trimmed)
            .ok()
            .filter(|text| text.chars().all(plain))
        {
            return Some(Self::Utf8(text));
        }
        Utf16::new(bytes)
            .filter(|text| text.is_plausible())
            .map(Self::Utf16)
    }

    /// Whether it is exactly this text.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        match self {
            Self::Utf8(own) => own == text,
            Self::Utf16(own) => own.is(text),
        }
    }

    /// Whether there is no character.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        match self {
            Self::Utf8(own) => own.is_empty(),
            Self::Utf16(own) => own.is_empty(),
        }
    }
}

/// A character that a text of firmware may plausibly hold.
fn plain(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\r' | '\t')
}

/// The character, or U+FFFD for one that a terminal or a browser would obey rather than show.
#[must_use]
pub fn shown(c: char) -> char {
    let obeyed = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}');
    if c.is_control() || obeyed {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

fn show(f: &mut fmt::Formatter<'_>, mut chars: impl Iterator<Item = char>) -> fmt::Result {
    chars.try_for_each(|c| f.write_char(shown(c)))
}

impl fmt::Display for Utf16<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.chars())
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8(text) => show(f, text.chars()),
            Self::Utf16(text) => show(f, text.chars()),
        }
    }
}

impl fmt::Debug for Utf16<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
