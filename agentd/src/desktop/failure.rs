//! Why a step was not done.

use casemate_protocol::Code;
use casemate_protocol::action::Outcome;
use thiserror::Error;

use crate::desktop::code;
use crate::vision::VisionError;

/// Longest message that goes out; what it quotes was on a hostile screen.
const LONGEST: usize = 600;

/// A step that was not done, or not as it should be.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Failure {
    /// The stable code.
    pub code: &'static Code,
    /// One sentence.
    pub message: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The display or the bus is gone, so no further step can be done.
    pub fn is_loss(&self) -> bool {
        self.code == &code::LOST
    }

    /// As the answer to a step.
    pub fn outcome(&self) -> Outcome {
        Outcome::Failed {
            code: self.code.id.to_owned(),
            message: plain(&self.message, LONGEST),
        }
    }
}

/// Text from the screen for a message: no control characters, and short.
pub fn plain(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(longest).map(clean).collect();
    if text.chars().nth(longest).is_some() {
        short.push('…');
    }
    short
}

/// Text from the screen, quoted for a message.
pub fn quoted(text: &str) -> String {
    format!("`{}`", plain(text, 80))
}

impl From<VisionError> for Failure {
    fn from(e: VisionError) -> Self {
        Self::new(e.code(), e.to_string())
    }
}

macro_rules! loss {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(e: $error) -> Self {
                Self::new(&code::LOST, format!("the display failed: {e}"))
            }
        }
    )*};
}

loss!(
    x11rb::errors::ConnectionError,
    x11rb::errors::ReplyError,
    x11rb::errors::ReplyOrIdError,
    x11rb::errors::ConnectError
);
