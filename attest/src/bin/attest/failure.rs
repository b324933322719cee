//! The one place where a failure becomes text and an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use casemate_attest::code::Code;

/// What could not be done.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: String,
    code: &'static Code,
    exit: Exit,
}

/// The exit codes; docs/errors.md lists them for every program of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The verdict or check is negative.
    Failed = 1,
    /// Bad usage or malformed input.
    Malformed = 2,
    /// A fault of the program.
    Internal = 70,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed => 1,
            Self::Malformed => 2,
            Self::Internal => 70,
        })
    }
}

impl Failure {
    pub(crate) fn new(
        exit: Exit,
        code: &'static Code,
        what: impl Into<String>,
        why: impl ToString,
    ) -> Self {
        Self {
            what: what.into(),
            why: why.to_string(),
            code,
            exit,
        }
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        let Self {
            what,
            why,
            code,
            exit,
        } = self;
        let why: String = why
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        let (id, next) = (code.id, code.next);
        // When standard error is gone there is nobody left to tell.
        let _ = writeln!(io::stderr(), "attest: {what}: {why}\n  code {id}; {next}");
        exit.code()
    }
}
