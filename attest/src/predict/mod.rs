//! What a boot will leave in the registers, from the build's own files: one module a register.
//!
//! The reference values of a release are made here, and nowhere else. Each module says whose
//! behaviour it follows (firmware, systemd-stub) and is compared with a machine that really boots.
//! Registers that the platform owns are not predicted.

pub mod pcr11;
pub mod pcr12;
pub mod pcr4;
pub mod pcr7;
pub mod pe;

pub use pe::{PeError, PeImage, Section};

use crate::code::{self, Code};
use crate::digest::Digest;
use crate::eventlog::payload::PayloadError;
use crate::release::ExpectedEvent;

/// Why nothing can be predicted from a build's files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// A file is no PE image as firmware loads it.
    #[error(transparent)]
    Image(#[from] PeError),
    /// A unified kernel image lacks a section, or has one twice.
    #[error("the unified kernel image: {0}")]
    Sections(String),
    /// A key database is not a sequence of signature lists.
    #[error("{name} is no EFI signature list: {source}")]
    Database {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        source: PayloadError,
    },
    /// No entry of db would allow the image, or more than one might.
    #[error("{count} entries of db fit the image's signature; name the one that allows it")]
    Authority {
        /// How many.
        count: usize,
    },
}

impl PredictError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Image(_) => &code::PREDICT_IMAGE,
            Self::Sections(_) => &code::PREDICT_SECTIONS,
            Self::Database { .. } => &code::PREDICT_DATABASE,
            Self::Authority { .. } => &code::PREDICT_AUTHORITY,
        }
    }
}

fn event(name: &str, event_type: u32, digest: Digest) -> ExpectedEvent {
    ExpectedEvent {
        name: name.to_owned(),
        event_type,
        digests: vec![digest],
    }
}
