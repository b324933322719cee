//! Audit leaves: what one entry of the audit log is to everyone without a key.
//!
//! The kind of act and the time are readable; who and what are ciphertext under a key of the
//! subject, so that erasing that key leaves every proof standing.

use minicbor::{Decode, Encode};

use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::merkle;

/// The version of the leaf format that this reads and writes.
pub const VERSION: u64 = 1;

/// The most bytes a leaf may have.
pub const MAX_LEAF: usize = 64 * 1024;

/// The TPM's clock, from `TPMS_CLOCK_INFO`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct TpmClock {
    /// Milliseconds that the TPM has been powered, over all its life.
    #[n(0)]
    pub ms: u64,
    /// How often the TPM was reset.
    #[n(1)]
    pub resets: u32,
    /// How often the TPM was restarted or resumed since the last reset.
    #[n(2)]
    pub restarts: u32,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Leaf {
    /// Always [`VERSION`].
    #[n(0)]
    pub version: u64,
    /// The entry's number, from 0: its index in the tree.
    #[n(1)]
    pub seq: u64,
    /// The kind of act: a lower-case word such as `job.accepted`.
    #[n(2)]
    pub kind: String,
    /// Wall clock, milliseconds since 1970.
    #[n(3)]
    pub wall_ms: u64,
    /// Milliseconds since this boot.
    #[n(4)]
    pub boot_ms: u64,
    /// The TPM's clock, as last read.
    #[n(5)]
    pub tpm: TpmClock,
    /// The tenant's random id; 16 zero bytes are the system.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub tenant: [u8; 16],
    /// The subject whose key seals the details, a random id.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub subject: [u8; 16],
    /// The nonce of the sealed details.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub nonce: [u8; 12],
    /// The sealed details (AES-256-GCM, with its tag).
    #[cbor(n(9), with = "minicbor::bytes")]
    pub ciphertext: Vec<u8>,
}

impl Leaf {
    /// The canonical bytes, which the tree hashes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not one canonical leaf of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let leaf: Self = codec::decode_canonical(bytes, MAX_LEAF)?;
        let wrong = |member, reason: String| Err(CodecError::Member { member, reason });
        if leaf.version != VERSION {
            return wrong("version", format!("{}, expected {VERSION}", leaf.version));
        }
        if !is_kind(&leaf.kind) {
            return wrong("kind", "not a lower-case word with dots".to_owned());
        }
        Ok(leaf)
    }

    /// The leaf's hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        merkle::leaf_hash(&self.to_bytes())
    }
}

/// 1 to 64 of a-z, 0-9, hyphen and dot.
fn is_kind(kind: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    (1..=64).contains(&kind.len()) && kind.bytes().all(allowed)
}
