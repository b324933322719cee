//! Why a build ended. One type for the whole builder: every operation here is
//! a step of one command, and the operator gets one sentence.

use std::path::{Path, PathBuf};

use crate::code::{self, Code};

/// Why a build step ended.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file could not be read or written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb: `read`, `write`.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A committed input is malformed.
    #[error("{}: {why}", path.display())]
    Recipe {
        /// The recipe, lock or strip list.
        path: PathBuf,
        /// What is wrong, with the line when there is one.
        why: String,
    },
    /// A program of the host failed.
    #[error("{program} {why}")]
    Tool {
        /// Its name.
        program: String,
        /// How it ended and the end of its output.
        why: String,
    },
    /// No mirror of that archive is configured.
    #[error("no apt source of this machine names the archive `{archive}`")]
    NoMirror {
        /// `debian` or `debian-security`.
        archive: String,
    },
    /// Locked packages are gone from the mirror.
    #[error("the mirror no longer carries {}", .packages.join(", "))]
    LockStale {
        /// `name version` of each.
        packages: Vec<String>,
    },
    /// A file differs from its pin.
    #[error("{what}: expected sha256 {expected}, found {found}")]
    PinMismatch {
        /// The file.
        what: String,
        /// Pinned digest, hex.
        expected: String,
        /// Digest of what came, hex.
        found: String,
    },
    /// The tree holds what a pack must not hold.
    #[error("{} finding(s) in the finished tree:\n  {}", .findings.len(), .findings.join("\n  "))]
    Forbidden {
        /// `reason: path` of each.
        findings: Vec<String>,
    },
    /// Two builds differ.
    #[error("sha256 {first} and {second}")]
    NotReproducible {
        /// Digest of the first build, hex.
        first: String,
        /// Digest of the second build, hex.
        second: String,
    },
    /// The key cannot be used.
    #[error("{}: {why}", path.display())]
    Key {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A disk that cannot be packed.
    #[error("{}: {why}", path.display())]
    Disk {
        /// The disk.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Two files differ.
    #[error("{first} and {second} differ, first in {what}")]
    Different {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Where and in what.
        what: String,
    },
    /// A kept signature is not of what was built.
    #[error("{what}: {why}")]
    Signature {
        /// What it should be of.
        what: String,
        /// What is wrong.
        why: String,
    },
}

impl BuildError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::File { .. } => &code::FILE,
            Self::Recipe { .. } => &code::RECIPE,
            Self::Tool { .. } => &code::TOOL,
            Self::NoMirror { .. } => &code::NO_MIRROR,
            Self::LockStale { .. } => &code::LOCK_STALE,
            Self::PinMismatch { .. } => &code::PIN_MISMATCH,
            Self::Forbidden { .. } => &code::FORBIDDEN,
            Self::NotReproducible { .. } => &code::NOT_REPRODUCIBLE,
            Self::Key { .. } => &code::KEY,
            Self::Disk { .. } => &code::DISK,
            Self::Different { .. } => &code::DIFFERENT,
            Self::Signature { .. } => &code::SIGNATURE,
        }
    }

    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            Self::Recipe { .. } | Self::Key { .. } | Self::Disk { .. } => 2,
            Self::NoMirror { .. } | Self::LockStale { .. } => 3,
            Self::PinMismatch { .. }
            | Self::Forbidden { .. }
            | Self::NotReproducible { .. }
            | Self::Different { .. }
            | Self::Signature { .. } => 1,
            Self::File { .. } | Self::Tool { .. } => 70,
        }
    }

    /// For `map_err`: a file error with the verb and the path.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// A malformed committed input.
    pub fn recipe(path: &Path, why: impl Into<String>) -> Self {
        Self::Recipe {
            path: path.to_path_buf(),
            why: why.into(),
        }
    }
}
