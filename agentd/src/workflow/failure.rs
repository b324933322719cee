//! How a script ends other than well: a code, and one sentence with the place.

use std::fmt;

use casemate_protocol::{Code, code as protocol_code};
use starlark::ErrorKind;

use super::code;

/// Longest message that leaves the interpreter, in characters.
const LONGEST: usize = 1500;
/// Longest excerpt of the source in a message, in characters.
const LONGEST_EXCERPT: usize = 80;

/// Why a script did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code.
    pub code: String,
    /// One line: the place where known, and what happened.
    pub message: String,
}

impl Failure {
    /// A failure with one of our codes.
    pub fn new(code: &Code, message: impl AsRef<str>) -> Self {
        Self::with_code(code.id, message)
    }

    /// A failure with a code that came from elsewhere.
    pub fn with_code(code: &str, message: impl AsRef<str>) -> Self {
        Self {
            code: code.chars().take(64).collect(),
            message: one_line(message.as_ref()),
        }
    }
}

/// What a verb raises inside the script: the outcome of a failed action, or the
/// script's own decision to end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Raised {
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl Raised {
    /// With one of our codes.
    pub fn new(code: &Code, message: impl Into<String>) -> Self {
        Self {
            code: code.id.to_owned(),
            message: message.into(),
        }
    }
}

impl From<Raised> for starlark::Error {
    fn from(raised: Raised) -> Self {
        starlark::Error::new_other(raised)
    }
}

/// Why the script cannot go on, whatever it does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// The script's time is over.
    #[error("the script's time is over")]
    Deadline,
    /// agentd is gone.
    #[error("agentd closed the connection")]
    Gone,
    /// What came from agentd is no answer to the action.
    #[error("what came from agentd is no answer: {0}")]
    Garbage(String),
}

impl Halt {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Deadline => &code::DEADLINE,
            Self::Gone | Self::Garbage(_) => &protocol_code::FRAME_MALFORMED,
        }
    }
}

/// Turns what the interpreter says into a failure with a place.
pub fn of_error(error: &starlark::Error) -> Failure {
    let (code, message) = match error.kind() {
        ErrorKind::Fail(text) => (code::FAILED.id.to_owned(), text.to_string()),
        ErrorKind::Other(inner) | ErrorKind::Native(inner) => {
            if let Some(raised) = inner.downcast_ref::<Raised>() {
                (raised.code.clone(), raised.message.clone())
            } else if let Some(halt) = inner.downcast_ref::<Halt>() {
                (halt.code().id.to_owned(), halt.to_string())
            } else {
                let text = format!("{inner:#}");
                (of_text(&text).id.to_owned(), text)
            }
        }
        kind => (code::ERROR.id.to_owned(), kind.to_string()),
    };
    Failure::with_code(&code, format!("{}{message}", Place::of(error)))
}

/// The code of an error of the interpreter that has no type of its own there.
fn of_text(text: &str) -> &'static Code {
    if text.starts_with("Heap memory limit of") {
        &code::MEMORY
    } else if text.starts_with("Execution duration limit of") {
        &code::DEADLINE
    } else {
        &code::ERROR
    }
}

/// Where an error stands: file, line and column, the excerpt, and the callers.
struct Place<'a>(&'a starlark::Error);

impl<'a> Place<'a> {
    fn of(error: &'a starlark::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(span) = self.0.span() else {
            return Ok(());
        };
        let begin = span.resolve_span().begin;
        write!(
            f,
            "{}:{}:{}",
            span.filename(),
            begin.line.saturating_add(1),
            begin.column.saturating_add(1)
        )?;
        let excerpt = span.source_span().lines().next().unwrap_or_default();
        if !excerpt.is_empty() {
            let short: String = excerpt.chars().take(LONGEST_EXCERPT).collect();
            write!(f, " at `{short}`")?;
        }
        let callers: Vec<String> = self
            .0
            .call_stack()
            .frames
            .iter()
            .rev()
            .filter_map(|frame| {
                let at = frame.location.as_ref()?;
                let line = at.resolve_span().begin.line.saturating_add(1);
                Some(format!("{} in {}:{line}", frame.name, at.filename()))
            })
            .skip(1)
            .take(4)
            .collect();
        if !callers.is_empty() {
            write!(f, " (called as {})", callers.join(", "))?;
        }
        f.write_str(": ")
    }
}

/// One line without control characters, of bounded length: what leaves the
/// interpreter is printed on terminals and kept in logs.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut space = false;
    for c in text.trim().chars().take(LONGEST) {
        if c.is_control() || c == ' ' {
            space = true;
        } else {
            if space && !line.is_empty() {
                line.push(' ');
            }
            space = false;
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_leaves() {
        assert_eq!(one_line("a\u{1b}[31m b\n\n  c\r\n"), "a [31m b c");
        assert!(one_line(&"x".repeat(1_000_000)).len() <= LONGEST);
    }
}
