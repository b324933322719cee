//! The characters of a recogniser, read from the metadata of its ONNX file.
//!
//! PP-OCR writes them, one a line, as the value of the metadata key `character`.
//! ONNX is protobuf (onnx.proto3): `ModelProto.metadata_props` is field 14, a
//! `StringStringEntryProto` with key 1 and value 2. Only those are looked at;
//! everything else is skipped by its length.

/// Most characters a recogniser may have.
const MOST_CHARACTERS: usize = 1 << 16;

/// The characters by class number, without the blank (class 0) and with the
/// space that PP-OCR appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charset(Vec<String>);

impl Charset {
    /// From the bytes of an ONNX file; `None` if it names no characters.
    pub fn from_onnx(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (number, value) = field(&mut rest)?;
            if number == 14
                && let Some(entry) = value
                && let Some(text) = entry_named(entry, "character")
            {
                return Self::from_lines(text);
            }
        }
        None
    }

    fn from_lines(text: &str) -> Option<Self> {
        let mut list: Vec<String> = text
            .lines()
            .take(MOST_CHARACTERS.saturating_add(1))
            .map(str::to_owned)
            .collect();
        if list.is_empty() || list.len() > MOST_CHARACTERS {
            return None;
        }
        list.push(" ".to_owned());
        Some(Self(list))
    }

    /// Classes that a recogniser must have for this set: the blank and each character.
    pub fn classes(&self) -> usize {
        self.0.len().saturating_add(1)
    }

    /// The character of a class; `None` for the blank and beyond the end.
    pub fn character(&self, class: usize) -> Option<&str> {
        self.0.get(class.checked_sub(1)?).map(String::as_str)
    }
}

fn entry_named<'a>(mut entry: &'a [u8], wanted: &str) -> Option<&'a str> {
    let (mut key, mut text) = (None, None);
    while !entry.is_empty() {
        match field(&mut entry)? {
            (1, Some(bytes)) => key = Some(bytes),
            (2, Some(bytes)) => text = Some(bytes),
            _ => {}
        }
    }
    if key? == wanted.as_bytes() {
        std::str::from_utf8(text?).ok()
    } else {
        None
    }
}

/// One protobuf field: its number and, if it is length-delimited, its bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => {
            varint(rest)?;
            None
        }
        1 => {
            take(rest, 8)?;
            None
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Some(take(rest, length)?)
        }
        5 => {
            take(rest, 4)?;
            None
        }
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> Vec<u8> {
        let part = |tag: u8, text: &str| {
            let mut bytes = vec![tag, u8::try_from(text.len()).unwrap()];
            bytes.extend_from_slice(text.as_bytes());
            bytes
        };
        let body = [part(0x0a, key), part(0x12, value)].concat();
        let mut bytes = vec![0x72, u8::try_from(body.len()).unwrap()];
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_characters_are_found_among_other_fields() {
        let bytes = [
            vec![0x08, 0x07],
            entry("other", "x"),
            entry("character", "a\nb\nü"),
        ]
        .concat();
        let set = Charset::from_onnx(&bytes).unwrap();
        assert_eq!(set.classes(), 5);
        assert_eq!(set.character(0), None);
        assert_eq!(set.character(3), Some("ü"));
        assert_eq!(set.character(4), Some(" "));
        assert_eq!(set.character(5), None);
    }

    #[test]
    fn any_cut_or_garbage_is_none_and_ends() {
        let bytes = entry("character", "a\nb");
        for end in 0..bytes.len() {
            assert_eq!(Charset::from_onnx(&bytes[..end]), None);
        }
        for seed in 0..=255u8 {
            let noise: Vec<u8> = (0..200u8)
                .map(|i| i.wrapping_mul(seed).wrapping_add(seed))
                .collect();
            let _ = Charset::from_onnx(&noise);
        }
        assert_eq!(
            Charset::from_onnx(&[0x72, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            None
        );
    }
}
