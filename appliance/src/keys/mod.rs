//! The keys of the state: what is wrapped by what, and how one is destroyed.
//!
//! The store's key-encryption key comes from the handover and is never on disk. Every other key is
//! derived from it ([`derive`]) or random and wrapped in a file of its own ([`file`]). A subject's
//! key seals that subject's entries and files; destroying it makes them unreadable and leaves
//! every audit proof standing, because leaves hash ciphertext. Keys are wiped when dropped.
//!
//! Not promised: that a journaling file system or a disk that moves sectors keeps no copy of an
//! erased key file. Such a copy is wrapped by its tenant's key.

pub mod derive;
pub mod file;
pub mod ring;
pub mod seal;

use std::fmt;

use casemate_protocol::Code;
use casemate_protocol::id::{ArtifactId, JobId};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::code;

pub use derive::Kek;
pub use ring::Keyring;

/// The key epoch that is written; older ones are read.
pub const EPOCH: u32 = 1;

/// What can be erased alone: a job, an upload, or the appliance's own records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct SubjectId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl SubjectId {
    /// The appliance itself; cannot be erased.
    pub const SYSTEM: Self = Self([0; 16]);

    /// The subject of a job is the job.
    pub const fn of_job(job: JobId) -> Self {
        Self(job.0)
    }

    /// The subject of an upload is its artifact.
    pub const fn of_artifact(artifact: ArtifactId) -> Self {
        Self(artifact.0)
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectId({self})")
    }
}

/// A 256-bit key, wiped when dropped and never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Takes key bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A random key from the kernel.
    ///
    /// # Errors
    /// [`KeyError::Random`] if the kernel gives none.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::getrandom(bytes.as_mut()).map_err(|_| KeyError::Random)?;
        Ok(Self(bytes))
    }

    /// The bytes, for a cipher or a wrapper.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Random bytes from the kernel.
///
/// # Errors
/// [`KeyError::Random`] if the kernel gives none.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

/// Why a key could not be had, kept or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The kernel gave no random bytes.
    #[error("the kernel gave no random bytes")]
    Random,
    /// A sealed value does not open under its key.
    #[error("a sealed value does not open under its key")]
    Sealed,
    /// A key file is not what was written.
    #[error("the key file {name} is damaged: {reason}")]
    Damaged {
        /// File name under `keys/`.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such key; it may have been erased.
    #[error("there is no key for the subject {0}; it may have been erased")]
    NoSubject(SubjectId),
    /// The appliance's own key cannot be erased.
    #[error("the appliance's own key cannot be erased")]
    System,
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// How.
        source: std::io::Error,
    },
}

impl KeyError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Random => &code::KEYS_RANDOM,
            Self::Sealed | Self::Damaged { .. } => &code::KEYS_DAMAGED,
            Self::NoSubject(_) => &code::KEYS_ERASED,
            Self::System => &code::KEYS_SYSTEM,
            Self::Io { source, .. } => code::of_io(source),
        }
    }
}
