//! How the programs of the appliance end: one number for each kind of end.

use std::process::ExitCode;

/// The exit codes of `casemate` and `casemated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A job failed, a check failed, a verdict is negative.
    Negative = 1,
    /// Bad usage or malformed input.
    Usage = 2,
    /// The other side (daemon, agent, TPM) is not there.
    Absent = 3,
    /// Refused: not granted, halted, full.
    Refused = 4,
    /// Stored state is damaged.
    Damaged = 5,
    /// Interrupted or timed out.
    Interrupted = 6,
    /// A fault of the program.
    Internal = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Negative => 1,
            Exit::Usage => 2,
            Exit::Absent => 3,
            Exit::Refused => 4,
            Exit::Damaged => 5,
            Exit::Interrupted => 6,
            Exit::Internal => 70,
        })
    }
}
