//! Why a job cannot go on.

use super::channel::ChannelError;
use super::link::Gone;

/// Why the job cannot go on, whatever the script would like.
#[derive(Debug)]
pub enum Stop {
    /// Cancelled, or the daemon is gone.
    Gone,
    /// A compartment is lost or misbehaves.
    Lost {
        /// `desktop`, `hands` or `script`.
        which: &'static str,
        /// How.
        error: ChannelError,
    },
    /// The job's time is over.
    Deadline,
    /// The job's steps are used up.
    Steps,
}

impl From<Gone> for Stop {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}
