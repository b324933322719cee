//! Why the state was not opened, added to or read.

use std::sync::Arc;

use casemate_protocol::Code;

use super::index::IndexError;
use super::sealed::EntryError;
use crate::artifact::ArtifactError;
use crate::audit::witness::WitnessError;
use crate::code;
use crate::journal::{self, AppendError};
use crate::keys::KeyError;

/// Why the state was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is open in another daemon")]
    Locked(String),
    /// The journal.
    #[error("the journal does not open: {0}")]
    Journal(#[from] journal::OpenError),
    /// A key.
    #[error("the keys do not open: {0}")]
    Keys(#[from] KeyError),
    /// The TPM did not answer.
    #[error("the TPM did not answer: {0}")]
    Witness(#[from] WitnessError),
    /// An old copy of the journal.
    #[error("the journal stands at counter {journal}, the TPM at {tpm}")]
    RolledBack {
        /// The last journaled value.
        journal: u64,
        /// The TPM's.
        tpm: u64,
    },
    /// Another TPM.
    #[error("the journal stands at counter {journal}, the TPM at {tpm}")]
    OtherTpm {
        /// The last journaled value.
        journal: u64,
        /// The TPM's.
        tpm: u64,
    },
    /// The index can be neither read nor rebuilt.
    #[error("the index cannot be rebuilt: {0}")]
    Index(#[from] IndexError),
    /// A recorded entry cannot be read.
    #[error(transparent)]
    Entry(#[from] ReadError),
    /// The chunks.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// The first entries could not be recorded.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// How.
        source: std::io::Error,
    },
}

impl OpenError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Locked(_) => &code::STATE_LOCKED,
            Self::Journal(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::Witness(_) => &code::WITNESS_FAILED,
            Self::RolledBack { .. } => &code::JOURNAL_ROLLED_BACK,
            Self::OtherTpm { .. } => &code::TPM_OTHER,
            Self::Index(error) => error.code(),
            Self::Entry(error) => error.code(),
            Self::Artifacts(error) => error.code(),
            Self::Commit(error) => error.code(),
            Self::Io { source, .. } => code::of_io(source),
        }
    }
}

/// Why an entry was not recorded. Nothing of it has effect.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk.
    #[error(transparent)]
    Append(#[from] Arc<AppendError>),
    /// The details could not be sealed.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The index is broken and cannot be rebuilt now, so what is recorded could not be acted on.
    #[error("the index is not usable: {0}")]
    Index(Arc<IndexError>),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl CommitError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Append(error) => match error.as_ref() {
                AppendError::NotWritten(source) => code::of_io(source),
                AppendError::Failed(_) => &code::JOURNAL_FAILED,
                AppendError::TooLarge(_) => &code::ENTRY_TOO_LARGE,
                AppendError::Key(error) => error.code(),
            },
            Self::Entry(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Index(error) => error.code(),
            Self::Closed => &code::JOURNAL_FAILED,
        }
    }
}

/// Why an entry could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none of that number.
    #[error("there is no entry {0}")]
    Unknown(u64),
    /// The journal does not give it.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
    /// It opens but holds something else.
    #[error("entry {number}: {source}")]
    Entry {
        /// Its number.
        number: u64,
        /// What is wrong.
        source: EntryError,
    },
    /// Its bytes are not those whose hash is in the tree.
    #[error("entry {0} is not the leaf that the log holds")]
    Leaf(u64),
}

impl ReadError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Unknown(_) => &code::ENTRY_UNKNOWN,
            Self::Journal(error) => error.code(),
            Self::Entry { source, .. } => source.code(),
            Self::Leaf(_) => &code::JOURNAL_DAMAGED,
        }
    }
}
