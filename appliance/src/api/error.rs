//! A request that was not done: status, code, sentence, next step.

use casemate_protocol::Code;
use hyper::StatusCode;
use thiserror::Error;

use super::view::Refusal;
use crate::code;
use crate::evidence::issue::EvidenceError;
use crate::job::error::JobError;

/// Why a request was not done.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status; the CLI derives its exit code from it.
    pub status: StatusCode,
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Next step.
    pub next: String,
}

impl ApiError {
    /// An error of this status with a stable code and what was wrong here.
    pub fn new(status: StatusCode, code: &Code, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.id.to_owned(),
            message: message.into(),
            next: code.next.to_owned(),
        }
    }

    /// What the client asked for was malformed.
    pub fn bad(code: &Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// There is no such thing.
    pub fn absent(code: &Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// The appliance will not do this now.
    pub fn refused(code: &Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// Another program of the appliance is not there.
    pub fn unavailable(code: &Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// The body that the client gets.
    pub fn refusal(&self) -> Refusal {
        Refusal {
            code: self.code.clone(),
            message: self.message.clone(),
            next: self.next.clone(),
        }
    }
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        let code = error.code();
        let status = match &error {
            JobError::NoWorkflow(_) | JobError::NoJob(_) => StatusCode::NOT_FOUND,
            JobError::Ended(_) | JobError::Halted(_) => StatusCode::CONFLICT,
            JobError::Full(_) => StatusCode::TOO_MANY_REQUESTS,
            JobError::Stopping | JobError::NoAgent(_) => StatusCode::SERVICE_UNAVAILABLE,
            JobError::Input { .. } | JobError::Parameter { .. } | JobError::Application(_) => {
                StatusCode::BAD_REQUEST
            }
            JobError::Queue(_) => StatusCode::INTERNAL_SERVER_ERROR,
            JobError::State { code, .. } => of_state(code),
        };
        Self::new(status, code, error.to_string())
    }
}

fn of_state(code: &Code) -> StatusCode {
    match code.id {
        id if id == code::STATE_FULL.id => StatusCode::INSUFFICIENT_STORAGE,
        id if id == code::KEYS_ERASED.id || id == code::ENTRY_UNKNOWN.id => StatusCode::NOT_FOUND,
        id if id == code::WITNESS_FAILED.id => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<EvidenceError> for ApiError {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::State(error) => error.into(),
            EvidenceError::Challenge(_) => Self::bad(error.code(), error.to_string()),
            EvidenceError::Chip(_) => Self::unavailable(error.code(), error.to_string()),
            EvidenceError::Log { .. } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                error.code(),
                error.to_string(),
            ),
        }
    }
}

macro_rules! from_state {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                JobError::from(error).into()
            }
        }
    )*};
}

from_state!(
    crate::artifact::ArtifactError,
    crate::store::CommitError,
    crate::store::ReadError,
    crate::store::index::IndexError,
);
