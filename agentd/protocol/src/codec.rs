//! Canonical CBOR: one value, one byte string.
//!
//! Messages derive their encoding with `minicbor` as arrays of fixed order.
//! Decoding accepts only the bytes that encoding would have produced (RFC 8949
//! section 4.2.1 in effect: shortest integers, definite lengths, no unknown or
//! missing element), which it checks by encoding again and comparing.

use minicbor::{Decode, Encode};
use thiserror::Error;

/// Why bytes from outside were not accepted as a message.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Not CBOR of the expected shape.
    #[error("not the expected CBOR item: {0}")]
    Shape(String),
    /// A second item or stray bytes follow.
    #[error("{0} bytes follow the item")]
    Trailing(usize),
    /// Well-formed, but not the one canonical encoding of its value.
    #[error("the item is not canonically encoded")]
    NotCanonical,
}

/// Encodes a value; the result is its one canonical form.
///
/// Encoding into memory cannot fail for the derived types of this crate.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The writer is a Vec and the derived encoders have no failing case, so an
    // error here cannot occur; an empty result would fail every decoder.
    if minicbor::encode(value, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// Decodes exactly one canonical item.
///
/// # Errors
/// [`DecodeError`] if the bytes are anything but the canonical encoding of one `T`.
pub fn decode_canonical<'b, T>(bytes: &'b [u8]) -> Result<T, DecodeError>
where
    T: Decode<'b, ()> + Encode<()>,
{
    let mut decoder = minicbor::Decoder::new(bytes);
    let value: T = decoder
        .decode()
        .map_err(|e| DecodeError::Shape(e.to_string()))?;
    let rest = bytes.len().saturating_sub(decoder.position());
    if rest != 0 {
        return Err(DecodeError::Trailing(rest));
    }
    if encode(&value) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_accepted() {
        let bytes = encode(&(7u32, "a".to_owned()));
        assert_eq!(bytes, [0x82, 0x07, 0x61, b'a']);
        assert_eq!(
            decode_canonical::<(u32, String)>(&bytes),
            Ok((7, "a".into()))
        );
        // 7 in two bytes instead of one.
        let long = [0x82, 0x18, 0x07, 0x61, b'a'];
        assert_eq!(
            decode_canonical::<(u32, String)>(&long),
            Err(DecodeError::NotCanonical)
        );
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert_eq!(
            decode_canonical::<(u32, String)>(&trailing),
            Err(DecodeError::Trailing(1))
        );
        assert!(matches!(
            decode_canonical::<(u32, String)>(&[]),
            Err(DecodeError::Shape(_))
        ));
    }
}
