//! Keys derived from the handover's key-encryption key, one label each.

use hkdf::Hkdf;
use sha2::Sha256;

use super::Key;

/// The store's key-encryption key.
#[derive(Debug, Clone)]
pub struct Kek(Key);

/// An appliance: 128 random bits, made with its journal. The salt of every derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplianceId(pub [u8; 16]);

impl std::fmt::Display for ApplianceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Kek {
    /// Takes the 32 bytes of the handover.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Key::new(bytes))
    }

    /// Seals journal records, and authenticates headers and head.
    pub fn journal(&self, appliance: ApplianceId, epoch: u32) -> Key {
        derive(
            &self.0,
            &appliance.0,
            b"casemate/journal/1",
            &epoch.to_be_bytes(),
        )
    }

    /// Seals rows of the index.
    pub fn index(&self, appliance: ApplianceId, epoch: u32) -> Key {
        derive(
            &self.0,
            &appliance.0,
            b"casemate/index/1",
            &epoch.to_be_bytes(),
        )
    }

    /// Hashes names into keys of the index.
    pub fn index_name(&self, appliance: ApplianceId) -> Key {
        derive(&self.0, &appliance.0, b"casemate/index-name/1", &[])
    }

    /// Wraps tenant keys and the audit signing key.
    pub fn wrap(&self, appliance: ApplianceId, epoch: u32) -> Key {
        derive(
            &self.0,
            &appliance.0,
            b"casemate/wrap/1",
            &epoch.to_be_bytes(),
        )
    }
}

/// HKDF-SHA-256 of `key` with `salt` and the label followed by `context`.
pub fn derive(key: &Key, salt: &[u8], label: &[u8], context: &[u8]) -> Key {
    let mut out = Key::new([0; 32]);
    let info = [label, context].concat();
    let expanded = Hkdf::<Sha256>::new(Some(salt), key.bytes()).expand(&info, out.0.as_mut());
    // 32 bytes are one block of SHA-256; RFC 5869 section 2.3 allows 255.
    debug_assert!(expanded.is_ok());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_appliance_and_epoch_gives_another_key() {
        let kek = Kek::new([1; 32]);
        let (a, b) = (ApplianceId([1; 16]), ApplianceId([2; 16]));
        let mut keys = vec![kek.index_name(a)];
        for appliance in [a, b] {
            for epoch in [1, 2] {
                keys.push(kek.journal(appliance, epoch));
                keys.push(kek.index(appliance, epoch));
                keys.push(kek.wrap(appliance, epoch));
            }
        }
        let mut bytes: Vec<_> = keys.iter().map(|key| *key.bytes()).collect();
        bytes.sort_unstable();
        bytes.dedup();
        assert_eq!(bytes.len(), keys.len());
        assert!(!bytes.contains(&[0; 32]));
    }
}
