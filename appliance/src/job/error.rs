//! Why something was not done with a job.

use casemate_protocol::Code;
use casemate_protocol::id::JobId;
use thiserror::Error;

use super::queue::QueueError;
use crate::code;

/// Why something was not done with a job.
#[derive(Debug, Error)]
pub enum JobError {
    /// No such workflow.
    #[error("there is no workflow named {0:?}")]
    NoWorkflow(String),
    /// No such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// It has ended already.
    #[error("job {0} has already ended")]
    Ended(JobId),
    /// All jobs are halted.
    #[error("all jobs are halted by {0}")]
    Halted(String),
    /// The queue is full.
    #[error("{0} jobs have not ended, which is as many as the queue holds")]
    Full(usize),
    /// The daemon is ending.
    #[error("the daemon is about to end")]
    Stopping,
    /// agentd is not there, or has no pack for this.
    #[error("{0}")]
    NoAgent(String),
    /// An input cannot be used.
    #[error("input {name:?}: {why}")]
    Input {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// A parameter cannot be used.
    #[error("parameter {name:?}: {why}")]
    Parameter {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// The pack lacks an application.
    #[error("the mounted pack does not offer the application {0:?}")]
    Application(String),
    /// A change does not follow.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The state could not be read or added to.
    #[error("{message}")]
    State {
        /// The state's code.
        code: &'static Code,
        /// What it said.
        message: String,
    },
}

impl JobError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::NoWorkflow(_) => &code::WORKFLOW_UNKNOWN,
            Self::NoJob(_) => &code::JOB_UNKNOWN,
            Self::Ended(_) => &code::JOB_ENDED,
            Self::Halted(_) => &code::HALTED,
            Self::Full(_) => &code::QUEUE_FULL,
            Self::Stopping => &code::STOPPING,
            Self::NoAgent(_) => &code::AGENT_ABSENT,
            Self::Input { .. } => &code::JOB_INPUT,
            Self::Parameter { .. } => &code::JOB_PARAMETER,
            Self::Application(_) => &code::JOB_APPLICATION,
            Self::Queue(_) => &code::INTERNAL,
            Self::State { code, .. } => code,
        }
    }
}

/// Each error of the state has a code of its own; the sentence is its own too.
macro_rules! from_state {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for JobError {
            fn from(error: $error) -> Self {
                Self::State {
                    code: error.code(),
                    message: error.to_string(),
                }
            }
        }
    )*};
}

from_state!(
    crate::artifact::ArtifactError,
    crate::keys::KeyError,
    crate::store::AnchorError,
    crate::store::CommitError,
    crate::store::ReadError,
    crate::store::index::IndexError,
);
