//! Banks of registers: a hash algorithm, its name, its digests.

use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use sm3::Sm3;

use crate::tpm::{ALG_SHA1, ALG_SHA256, ALG_SHA384, ALG_SHA512, ALG_SM3_256, BANKS};

/// The longest digest of any bank, in bytes.
pub(super) const MAX_DIGEST: usize = 64;

/// A digest of a bank: as long as the bank's algorithm makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BankDigest {
    bytes: [u8; MAX_DIGEST],
    len: usize,
}

impl BankDigest {
    /// The same byte over and over, with another as the last.
    pub(super) fn filled(len: usize, fill: u8, last: u8) -> Self {
        let mut digest = Self {
            bytes: [fill; MAX_DIGEST],
            len: len.min(MAX_DIGEST),
        };
        let end = digest.len.saturating_sub(1);
        if let Some(byte) = digest.bytes.get_mut(end) {
            *byte = last;
        }
        digest
    }

    fn of(digest: &[u8]) -> Self {
        let mut bytes = [0; MAX_DIGEST];
        let len = digest.len().min(MAX_DIGEST);
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = *from;
        }
        Self { bytes, len }
    }

    /// The digest of these small hexadecimal digits.
    pub(super) fn of_hex(text: &str) -> Option<Self> {
        let small = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mut digest = Self::filled(text.len() / 2, 0, 0);
        let own = digest.bytes.get_mut(..text.len() / 2).filter(|_| small)?;
        hex::decode_to_slice(text, own).ok()?;
        Some(digest)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The bank of this name.
#[must_use]
pub fn bank_of_name(name: &str) -> Option<u16> {
    let known = BANKS.iter().find(|(known, ..)| *known == name);
    known.map(|(_, id, _)| *id)
}

/// The digest size in bytes of a `TPM_ALG_ID` that a bank may have.
#[must_use]
pub fn bank_size(id: u16) -> Option<usize> {
    let known = BANKS.iter().find(|(_, known, _)| *known == id);
    known.map(|(.., size)| *size)
}

/// The digest of `parts`, one after the other, in this bank. `None` for an algorithm that this
/// program does not compute: what it would take is then unauthenticated, and it is not replayed.
#[must_use]
pub fn bank_digest(id: u16, parts: &[&[u8]]) -> Option<BankDigest> {
    fn hash<H: sha2::Digest>(parts: &[&[u8]]) -> BankDigest {
        let mut hash = H::new();
        parts.iter().for_each(|part| hash.update(part));
        BankDigest::of(&hash.finalize())
    }
    match id {
        ALG_SHA1 => Some(hash::<Sha1>(parts)),
        ALG_SHA256 => Some(hash::<Sha256>(parts)),
        ALG_SHA384 => Some(hash::<Sha384>(parts)),
        ALG_SHA512 => Some(hash::<Sha512>(parts)),
        ALG_SM3_256 => Some(hash::<Sm3>(parts)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ALG_SM3_256, bank_digest, bank_of_name, bank_size};
    use crate::tpm::bank_name;

    /// GB/T 32905-2016, appendix A.1.
    #[test]
    fn sm3_is_what_its_standard_says() {
        let digest = bank_digest(ALG_SM3_256, &[b"a", b"bc"]).unwrap();
        let expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        assert_eq!(hex::encode(digest.as_bytes()), expected);
    }

    #[test]
    fn every_bank_has_a_name_and_a_size() {
        for id in 0..=u16::MAX {
            let Some(size) = bank_size(id) else { continue };
            assert_eq!(bank_of_name(&bank_name(id)), Some(id));
            let computed = bank_digest(id, &[]);
            assert!(computed.is_none_or(|digest| digest.as_bytes().len() == size));
        }
    }
}
