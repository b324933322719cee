//! Why the screen could not be read, with a stable code.

use std::path::PathBuf;

use casemate_protocol::code::Code;
use thiserror::Error;

use crate::vision::code;
use crate::vision::frame::Region;

/// Why the screen could not be read.
#[derive(Debug, Error)]
pub enum VisionError {
    /// A model file could not be read.
    #[error("the model {path} cannot be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model file is not what it should be.
    #[error("a model is not usable: {0}")]
    Model(String),
    /// A region that cannot be read.
    #[error("the region {0:?} cannot be read")]
    Region(Region),
}

impl VisionError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::File { .. } | Self::Model(_) => &code::MODEL,
            Self::Region(_) => &code::REGION,
        }
    }
}
