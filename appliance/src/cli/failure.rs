//! Why a command could not be carried out, and how that is said.

use casemate_protocol::Code;
use hyper::StatusCode;
use thiserror::Error;

use super::exit::Exit;
use super::text;
use crate::api::view::Refusal;
use crate::code;

/// Why a command could not be carried out.
#[derive(Debug, Error)]
#[error("{what}: {why}")]
pub struct Failure {
    /// What could not be done.
    pub what: String,
    /// Why.
    pub why: String,
    /// Stable code.
    pub code: String,
    /// Next step.
    pub next: String,
    /// Exit code.
    pub exit: Exit,
}

impl Failure {
    /// A failure of the CLI's own.
    pub fn new(what: impl Into<String>, why: impl Into<String>, code: &Code, exit: Exit) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            code: code.id.to_owned(),
            next: code.next.to_owned(),
            exit,
        }
    }

    /// A failure to read or write a local file.
    pub fn file(what: impl Into<String>, error: &std::io::Error) -> Self {
        Self::new(what, error.to_string(), &code::CLI_FILE, Exit::Usage)
    }

    /// What the daemon refused, from its status and body.
    pub fn refused(what: impl Into<String>, status: StatusCode, refusal: Refusal) -> Self {
        let exit = match status.as_u16() {
            403 | 409 | 429 | 507 => Exit::Refused,
            408 | 504 => Exit::Interrupted,
            503 => Exit::Absent,
            500 if refusal.code.ends_with("damaged") => Exit::Damaged,
            400..=499 => Exit::Usage,
            _ => Exit::Internal,
        };
        Self {
            what: what.into(),
            why: refusal.message,
            code: refusal.code,
            next: refusal.next,
            exit,
        }
    }

    /// The lines for standard error: sentence, code and next step.
    pub fn lines(&self, program: &str) -> String {
        format!(
            "{program}: {}: {}\n  code {}; {}\n",
            text::clean(&self.what),
            text::clean(&self.why),
            text::clean(&self.code),
            text::clean(&self.next)
        )
    }
}

/// Standard output is gone or cannot be written.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(
            "writing the answer",
            error.to_string(),
            &code::CLI_OUTPUT,
            Exit::Usage,
        )
    }
}
