//! What `unseal` hands to the control daemon, and nothing else of the root.

use casemate_attest::codec::{self, CodecError};
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::counter::CounterAuth;
use crate::logkey::LogAuth;

/// 2: the counter of a recovery.
const VERSION: u32 = 2;
/// More bytes than any handover has.
const LIMIT: usize = 1024;

/// The store's key and the authorisations that the daemon needs; wiped when dropped.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub struct Handover {
    #[n(0)]
    version: u32,
    /// Which generation of keys this is.
    #[n(1)]
    pub epoch: u64,
    /// The store's key-encryption key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub store_kek: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    counter_auth: [u8; 32],
    #[cbor(n(4), with = "minicbor::bytes")]
    log_auth: [u8; 32],
    /// The storage root key's Name, for [`crate::Tpm::storage_root`].
    #[cbor(n(5), with = "minicbor::bytes")]
    pub srk_name: Vec<u8>,
    /// The log key's Name.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub log_key_name: Vec<u8>,
    /// Number of the release that opened the root.
    #[n(7)]
    pub release: u64,
    /// The version floor afterwards.
    #[n(8)]
    pub floor: u64,
    /// The release is a development release.
    #[n(9)]
    pub development: bool,
    /// What the TPM's counter was when a recovery key brought the root to this TPM, if one did:
    /// at this value, and no other, the state's own counter is another TPM's.
    #[n(10)]
    pub recovered_at: Option<u64>,
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handover")
            .field("epoch", &self.epoch)
            .field("release", &self.release)
            .field("floor", &self.floor)
            .field("development", &self.development)
            .field("recovered_at", &self.recovered_at)
            .finish_non_exhaustive()
    }
}

/// The public facts beside the secrets.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) epoch: u64,
    pub(crate) srk_name: Vec<u8>,
    pub(crate) log_key_name: Vec<u8>,
    pub(crate) release: u64,
    pub(crate) floor: u64,
    pub(crate) development: bool,
    pub(crate) recovered_at: Option<u64>,
}

impl Handover {
    pub(crate) fn derive(root: &crate::root::ApplianceRoot, facts: Facts) -> Self {
        Self {
            version: VERSION,
            epoch: facts.epoch,
            store_kek: root.store_kek(facts.epoch),
            counter_auth: root.counter_auth().0,
            log_auth: root.log_auth().0,
            srk_name: facts.srk_name,
            log_key_name: facts.log_key_name,
            release: facts.release,
            floor: facts.floor,
            development: facts.development,
            recovered_at: facts.recovered_at,
        }
    }

    /// The authorisation of the rollback counter.
    #[must_use]
    pub fn counter_auth(&self) -> CounterAuth {
        CounterAuth::new(self.counter_auth)
    }

    /// The authorisation of the log key.
    #[must_use]
    pub fn log_auth(&self) -> LogAuth {
        LogAuth::new(self.log_auth)
    }

    /// The bytes to put on the descriptor; secret.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(codec::encode(self))
    }

    /// Reads what `unseal` wrote.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one canonical handover of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let handover: Self = codec::decode_canonical(bytes, LIMIT)?;
        if handover.version != VERSION {
            return Err(CodecError::Member {
                member: "version",
                reason: format!("{} is not {VERSION}", handover.version),
            });
        }
        Ok(handover)
    }
}
