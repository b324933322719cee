//! Why a sandbox was not started.

use std::fmt::Display;

use casemate_protocol::Code;
use thiserror::Error;

use crate::code;

/// One launch that did not happen: which promise could not be kept, and why.
///
/// There is one type and not an enum a step: every step ends the launch in the
/// same way, and the code says which step it was.
#[derive(Debug, Error)]
#[error("{what}: {why}")]
pub struct Refusal {
    /// The stable code of the step.
    pub code: &'static Code,
    /// What could not be done, to what.
    pub what: String,
    /// The kernel's or our own reason.
    pub why: String,
}

impl Refusal {
    /// A refusal at the step that `code` names.
    pub fn new(code: &'static Code, what: impl Into<String>, why: impl Display) -> Self {
        Self {
            code,
            what: what.into(),
            why: why.to_string(),
        }
    }

    /// The refusal a launcher sent, with its code looked up; a code this program
    /// does not know is itself a malformed report.
    pub(crate) fn reported(id: &str, what: String, why: String) -> Self {
        let code = code::CODES
            .iter()
            .find(|known| known.id == id)
            .unwrap_or(&code::SANDBOX_REPORT);
        Self { code, what, why }
    }
}

/// Names the step at which a call failed.
pub(crate) trait At<T> {
    /// Turns the error into a [`Refusal`] with `code`, saying what was being done.
    fn at(self, code: &'static Code, what: impl FnOnce() -> String) -> Result<T, Refusal>;
}

impl<T, E: Display> At<T> for Result<T, E> {
    fn at(self, code: &'static Code, what: impl FnOnce() -> String) -> Result<T, Refusal> {
        self.map_err(|why| Refusal::new(code, what(), why))
    }
}
