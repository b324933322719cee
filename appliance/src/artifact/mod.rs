//! Stored files: what is too large for the journal, in sealed chunks.
//!
//! A file is durable before the entry that names it is committed; what no entry names is swept at
//! the next start. Reading checks each chunk's seal and place and, at the end, the digest of the
//! whole. Format: docs/formats/artifacts.md.

pub mod chunk;
pub mod vault;

use casemate_protocol::Code;
use casemate_protocol::id::{ArtifactId, Digest};
use minicbor::{Decode, Encode};

use crate::code;
use crate::keys::{KeyError, SubjectId};

pub use vault::{ArtifactReader, ArtifactWriter, Vault};

/// A stored file: enough to find it and to know that it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Artifact {
    /// Its id.
    #[n(0)]
    pub id: ArtifactId,
    /// Whose key seals it.
    #[n(1)]
    pub subject: SubjectId,
    /// Its length in bytes.
    #[n(2)]
    pub size: u64,
    /// SHA-256 of its bytes.
    #[n(3)]
    pub digest: Digest,
}

impl Artifact {
    /// How many chunks it has.
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(chunk::BYTES as u64).max(1)
    }
}

/// Why a file was not stored or not read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A chunk is missing or changed.
    #[error("artifact {artifact}, chunk {chunk} of {chunks}: {reason}")]
    Damaged {
        /// The file.
        artifact: ArtifactId,
        /// The chunk, from 1.
        chunk: u64,
        /// How many it has.
        chunks: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// No key, or the kernel's randomness failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file system failed; a full disk among that.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// How.
        source: std::io::Error,
    },
}

impl ArtifactError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Damaged { .. } => &code::ARTIFACT_DAMAGED,
            Self::Key(error) => error.code(),
            Self::Io { source, .. } => code::of_io(source),
        }
    }
}
