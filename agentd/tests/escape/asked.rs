//! What the tests ask of the rooms.

use serde::{Deserialize, Serialize};

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// A sandbox with a program; the descriptor that comes along is the program's.
    Start {
        /// Of the sandbox.
        name: String,
        /// Its profile.
        profile: String,
        /// Its id, as agentd numbers.
        uid: u32,
        /// The program.
        argv: Vec<String>,
        /// A lower limit.
        memory_bytes: Option<u64>,
        /// A lower limit.
        pids: Option<u64>,
        /// What the workspace is, if not the job's own.
        workspace: Option<String>,
    },
    /// Wait until it has ended, or end it.
    Wait {
        /// Which.
        name: String,
        /// Whether to end it.
        kill: bool,
    },
    /// Read a file of the job as the supervisor does.
    Read {
        /// Below the job's directory.
        path: String,
        /// Without its care, as the control.
        naive: bool,
    },
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Why not.
    pub(crate) refused: Option<String>,
    /// How it ended.
    pub(crate) how: String,
    /// Ended by the kernel at the memory limit.
    pub(crate) memory_kills: u64,
    /// Most memory at once.
    pub(crate) memory_peak: u64,
    /// What it wrote.
    pub(crate) text: String,
}
