//! Why the machine does not start.

use std::io;
use std::path::{Path, PathBuf};

/// One sentence for whoever stands before the console, and where to read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A call of the system failed.
    #[error("{what} {}: {source}", path.display())]
    System {
        /// What was tried, as a verb with its object.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The command line is not of this image's making.
    #[error("the kernel's command line: {0}")]
    CommandLine(String),
    /// A device that the image needs is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// A program of the initrd said no; its own words follow.
    #[error("{program}: {words}")]
    Program {
        /// Which.
        program: &'static str,
        /// Its words, or how it ended.
        words: String,
    },
    /// The TPM keeps the root, and nobody typed the recovery key.
    #[error("the TPM keeps the root, and no recovery key was typed")]
    Declined,
    /// The state volume is not one that this image makes.
    #[error("the state volume: {0}")]
    Volume(String),
}

impl Failure {
    /// The stable code of this failure.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::System { .. } => "init.system",
            Self::CommandLine(_) => "init.command-line",
            Self::Missing(_) => "init.missing",
            Self::Program { .. } => "init.program",
            Self::Declined => "init.declined",
            Self::Volume(_) => "init.volume",
        }
    }

    /// For `map_err`, of the standard library's and of rustix's errors alike.
    pub(crate) fn system<E: Into<io::Error>>(
        what: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::System {
            what,
            path,
            source: source.into(),
        }
    }
}
