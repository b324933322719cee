//! Canonical CBOR: one value has one encoding, and only that encoding is read.
//!
//! Every format of ours is an array with a fixed member order (RFC 8949, section 4.2.1 for the
//! deterministic encoding). A decoded value is encoded again and must give the same bytes, which
//! rejects unknown, missing, duplicate and reordered members, long integer forms and indefinite
//! lengths in one step.

use minicbor::{Decode, Decoder, Encode};

use crate::code::{self, Code};

/// Why bytes were not the canonical encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes are more than the format allows.
    #[error("{size} bytes, and the format allows {max}")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The bytes are not the CBOR that the format asks for.
    #[error("not the format's CBOR at byte {offset}: {reason}")]
    Malformed {
        /// Where the reader stopped.
        offset: usize,
        /// What it stumbled over.
        reason: String,
    },
    /// Bytes are left after the value.
    #[error("bytes are left after the value, from byte {offset}")]
    Trailing {
        /// The first byte that is left.
        offset: usize,
    },
    /// The value has another encoding than the one given.
    #[error("not the canonical encoding: it differs from byte {offset}")]
    NotCanonical {
        /// The first byte that differs.
        offset: usize,
    },
    /// The format's name is another one.
    #[error("the format is {found:?}, expected {expected:?}")]
    Format {
        /// The name this reader reads.
        expected: &'static str,
        /// The name found.
        found: String,
    },
    /// A member is longer than the format allows, or has a forbidden value.
    #[error("member {member}: {reason}")]
    Member {
        /// The member's name in the format document.
        member: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl CodecError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::TooLarge { .. } => &code::FORMAT_TOO_LARGE,
            Self::Format { .. } => &code::FORMAT_UNKNOWN,
            Self::Member { .. } => &code::FORMAT_MEMBER,
            Self::Malformed { .. } | Self::Trailing { .. } | Self::NotCanonical { .. } => {
                &code::FORMAT_MALFORMED
            }
        }
    }
}

/// Encodes a value canonically.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a Vec takes every write and no encoder of ours refuses a value"
)]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into memory")
}

/// Decodes `bytes`, at most `max` of them, as the canonical encoding of a `T` and nothing else.
///
/// # Errors
/// [`CodecError`] when there are too many bytes, they are not a `T`, bytes are left, or `T` is
/// encoded otherwise.
pub fn decode_canonical<'b, T>(bytes: &'b [u8], max: usize) -> Result<T, CodecError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    if bytes.len() > max {
        return Err(CodecError::TooLarge {
            size: bytes.len(),
            max,
        });
    }
    let mut decoder = Decoder::new(bytes);
    let value: T = decode_next(&mut decoder)?;
    if decoder.position() != bytes.len() {
        return Err(CodecError::Trailing {
            offset: decoder.position(),
        });
    }
    same_encoding(&value, bytes, 0)?;
    Ok(value)
}

/// Decodes the next item of a CBOR sequence (RFC 8742), which must be canonical.
///
/// # Errors
/// As [`decode_canonical`]; the decoder's position is then of no meaning.
pub fn decode_item<'b, T>(decoder: &mut Decoder<'b>) -> Result<T, CodecError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    let start = decoder.position();
    let value: T = decode_next(decoder)?;
    let item = decoder
        .input()
        .get(start..decoder.position())
        .unwrap_or_default();
    same_encoding(&value, item, start)?;
    Ok(value)
}

/// Checks a format's name, the first member of every file of ours.
///
/// # Errors
/// [`CodecError::Format`] when it is another name.
pub fn expect_format(found: &str, expected: &'static str) -> Result<(), CodecError> {
    if found == expected {
        return Ok(());
    }
    let found = found.chars().take(64).collect();
    Err(CodecError::Format { expected, found })
}

/// Checks a member's length.
///
/// # Errors
/// [`CodecError::Member`] when `len` is more than `max`.
pub fn expect_at_most(member: &'static str, len: usize, max: usize) -> Result<(), CodecError> {
    if len <= max {
        return Ok(());
    }
    Err(CodecError::Member {
        member,
        reason: format!("{len}, and at most {max} are allowed"),
    })
}

fn decode_next<'b, T: Decode<'b, ()>>(decoder: &mut Decoder<'b>) -> Result<T, CodecError> {
    decoder.decode().map_err(|error| CodecError::Malformed {
        offset: error.position().unwrap_or(decoder.position()),
        reason: error.to_string(),
    })
}

fn same_encoding<T: Encode<()>>(value: &T, given: &[u8], start: usize) -> Result<(), CodecError> {
    let canonical = encode(value);
    if canonical == given {
        return Ok(());
    }
    let same = canonical
        .iter()
        .zip(given)
        .take_while(|(left, right)| left == right)
        .count();
    Err(CodecError::NotCanonical {
        offset: start.saturating_add(same),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Pair {
        #[n(0)]
        left: u64,
        #[n(1)]
        right: String,
    }

    fn pair() -> Pair {
        Pair {
            left: 7,
            right: "x".to_owned(),
        }
    }

    #[test]
    fn only_the_one_encoding_is_read() {
        let good = encode(&pair());
        assert_eq!(decode_canonical::<Pair>(&good, 64), Ok(pair()));
        let long_integer = [0x82, 0x18, 0x07, 0x61, b'x'];
        assert!(matches!(
            decode_canonical::<Pair>(&long_integer, 64),
            Err(CodecError::NotCanonical { offset: 1 })
        ));
        let indefinite = [0x9f, 0x07, 0x61, b'x', 0xff];
        assert!(matches!(
            decode_canonical::<Pair>(&indefinite, 64),
            Err(CodecError::NotCanonical { offset: 0 })
        ));
        let extra_member = [0x83, 0x07, 0x61, b'x', 0x00];
        assert!(decode_canonical::<Pair>(&extra_member, 64).is_err());
        let trailing = [&good[..], &[0]].concat();
        assert_eq!(
            decode_canonical::<Pair>(&trailing, 64),
            Err(CodecError::Trailing { offset: good.len() })
        );
        assert!(matches!(
            decode_canonical::<Pair>(&good, 2),
            Err(CodecError::TooLarge { .. })
        ));
        assert!(decode_canonical::<Pair>(&[], 64).is_err());
    }
}
