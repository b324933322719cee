//! The one place where a failure becomes text and an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use casemate_attest::code::Code;
use casemate_attest::messages::{self, Language};
use casemate_attest::report::printable;

/// What could not be done.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    why: String,
    code: &'static Code,
    exit: Exit,
    language: Language,
}

/// The exit codes; docs/errors.md lists them for every program of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The verdict or check is negative.
    Failed = 1,
    /// Bad usage or malformed input.
    Malformed = 2,
    /// Stored state is damaged.
    Damaged = 5,
    /// A fault of the program.
    Internal = 70,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed => 1,
            Self::Malformed => 2,
            Self::Damaged => 5,
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
            language: Language::default(),
        }
    }

    /// The stable code of this failure.
    pub(crate) const fn code(&self) -> &'static Code {
        self.code
    }

    /// The whole failure in one line, printable.
    pub(crate) fn sentence(&self) -> String {
        printable(&format!("{}: {}", self.what, self.why))
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> ExitCode {
        self.exit.code()
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        let (id, said) = (self.code.id, self.sentence());
        let next = messages::next(self.code, self.language);
        let text = match self.language {
            Language::English => format!("attest: {said}\n  code {id}; {next}"),
            Language::French => {
                let what = messages::what(self.code, self.language);
                format!("attest : {what}\n  détail : {said}\n  code {id} ; {next}")
            }
        };
        // When standard error is gone there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{text}");
        self.exit()
    }

    /// The same failure, said in another language. Technical detail stays in English.
    pub(crate) fn spoken(mut self, language: Language) -> Self {
        self.language = language;
        self
    }
}
