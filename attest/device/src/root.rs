//! The appliance root: the one secret the TPM keeps, and all that is derived from it.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::connection::TpmError;
use crate::counter::CounterAuth;
use crate::logkey::LogAuth;

/// 256 random bits. Only provisioning and an unseal make one; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApplianceRoot([u8; 32]);

/// An authorisation value of a hierarchy; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct HierarchyAuth(pub(crate) [u8; 32]);

/// What opens the state volume's one key slot; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct VolumeKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for VolumeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VolumeKey(..)")
    }
}

impl VolumeKey {
    /// The bytes to put on the descriptor; secret.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for ApplianceRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApplianceRoot(..)")
    }
}

impl ApplianceRoot {
    pub(crate) fn random() -> Result<Self, TpmError> {
        crate::session::random().map(Self)
    }

    pub(crate) fn from_unsealed(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn owner_auth(&self) -> HierarchyAuth {
        HierarchyAuth(self.derive(&[b"casemate tpm owner v1"]))
    }

    pub(crate) fn lockout_auth(&self) -> HierarchyAuth {
        HierarchyAuth(self.derive(&[b"casemate tpm lockout v1"]))
    }

    pub(crate) fn counter_auth(&self) -> CounterAuth {
        CounterAuth(self.derive(&[b"casemate tpm counter v1"]))
    }

    pub(crate) fn log_auth(&self) -> LogAuth {
        LogAuth(self.derive(&[b"casemate tpm log v1"]))
    }

    /// The store's key-encryption key of an epoch.
    pub(crate) fn store_kek(&self, epoch: u64) -> [u8; 32] {
        self.derive(&[b"casemate store kek v1 epoch", &epoch.to_be_bytes()])
    }

    /// The state volume's key of an epoch.
    pub(crate) fn volume_key(&self, epoch: u64) -> VolumeKey {
        VolumeKey(self.derive(&[b"casemate state volume v1 epoch", &epoch.to_be_bytes()]))
    }

    /// What vouches for a recovery onto the TPM with this storage root key, at this counter.
    pub(crate) fn recovered(&self, srk_name: &[u8], counter: u64) -> [u8; 32] {
        self.derive(&[b"casemate recovered v1", &counter.to_be_bytes(), srk_name])
    }

    /// HKDF-SHA256 without salt: the root is uniform already (RFC 5869, 3.1).
    fn derive(&self, info: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        let expanded = Hkdf::<Sha256>::new(None, &self.0).expand_multi_info(info, &mut out);
        debug_assert!(expanded.is_ok(), "32 bytes are within HKDF's bound");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_and_epoch_gives_its_own_key() {
        let root = ApplianceRoot([7; 32]);
        let keys = [
            root.owner_auth().0,
            root.lockout_auth().0,
            root.counter_auth().0,
            root.log_auth().0,
            root.store_kek(1),
            root.store_kek(2),
            root.volume_key(1).0,
            root.volume_key(2).0,
            root.recovered(b"a", 1),
            root.recovered(b"a", 2),
            root.recovered(b"b", 1),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|other| other != key));
            assert_ne!(*key, [0; 32]);
        }
    }
}
