//! The life of one job: which change may follow which.
//!
//! Pure: no clock, no file, no lock. [`Job::apply`] is the only way a job moves,
//! it is used alike when the daemon lives and when it reads its journal back,
//! and it refuses whatever does not follow. So a job cannot end twice, cannot be
//! both finished and requeued, and cannot run again without a
//! [`Change::Requeued`] that carries the new attempt.

use casemate_protocol::event::{ArtifactKind, Event};
use casemate_protocol::id::Digest;
use casemate_protocol::job::{JobSpec, OnInterrupt};
use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::artifact::Artifact;
use crate::store::row::JobRow;

/// How often a job is started before it is given up.
pub const MAX_ATTEMPTS: u32 = 5;

/// Where a job stands. "Interrupted" is a moment, not a place to stay: the
/// change that records it already says whether the job goes back to
/// [`State::Queued`] or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum State {
    /// Waits for a free slot of agentd.
    #[n(0)]
    Queued,
    /// Handed to agentd, nothing heard yet.
    #[n(1)]
    Leased,
    /// agentd has reported something of it.
    #[n(2)]
    Running,
    /// Its workflow came to its end.
    #[n(3)]
    Succeeded,
    /// It ended otherwise.
    #[n(4)]
    Failed,
    /// It was told to stop.
    #[n(5)]
    Cancelled,
}

impl State {
    /// The word an operator reads.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Whether agentd has it.
    pub fn is_out(self) -> bool {
        matches!(self, Self::Leased | Self::Running)
    }
}

/// How a job ended for good.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Ending {
    /// The workflow came to its end.
    #[n(0)]
    Succeeded,
    /// It did not.
    #[n(1)]
    Failed {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
    /// It was told to stop.
    #[n(2)]
    Cancelled {
        /// By whom, and whether by name or by a halt.
        #[n(0)]
        reason: String,
    },
}

impl Ending {
    fn state(&self) -> State {
        match self {
            Self::Succeeded => State::Succeeded,
            Self::Failed { .. } => State::Failed,
            Self::Cancelled { .. } => State::Cancelled,
        }
    }
}

/// A file of a job, stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StoredFile {
    /// Where it is stored, its length and digest.
    #[n(0)]
    pub artifact: Artifact,
    /// Its name, unique within the job's attempt.
    #[n(1)]
    pub name: String,
    /// Its kind.
    #[n(2)]
    pub kind: ArtifactKind,
    /// Media type.
    #[n(3)]
    pub media: String,
}

/// One change of one job. Each is a journal entry before it has effect.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// agentd gets it.
    #[n(0)]
    Leased {
        /// Which start of the job this is, from 1.
        #[n(0)]
        attempt: u32,
    },
    /// agentd reported something.
    #[n(1)]
    Event {
        /// The attempt it belongs to.
        #[n(0)]
        attempt: u32,
        /// agentd's number of the message.
        #[n(1)]
        number: u64,
        /// What happened.
        #[n(2)]
        event: Event,
    },
    /// A file of it is stored whole.
    #[n(2)]
    Stored {
        /// The attempt it belongs to.
        #[n(0)]
        attempt: u32,
        /// agentd's number of the message that completed it.
        #[n(1)]
        number: u64,
        /// The file.
        #[n(2)]
        file: StoredFile,
    },
    /// Somebody asked for its end while agentd has it.
    #[n(3)]
    CancelAsked {
        /// Who, and whether by name or by a halt.
        #[n(0)]
        reason: String,
    },
    /// Its run was cut off and it goes back into the queue.
    #[n(4)]
    Requeued {
        /// The attempt that comes next.
        #[n(0)]
        attempt: u32,
        /// Why the last one was cut off.
        #[n(1)]
        reason: String,
    },
    /// It ended for good.
    #[n(5)]
    Ended {
        /// The attempt that ended; one that never started counts too.
        #[n(0)]
        attempt: u32,
        /// How.
        #[n(1)]
        ending: Ending,
    },
}

impl Change {
    fn word(&self) -> &'static str {
        match self {
            Self::Leased { .. } => "leased",
            Self::Event { .. } => "event",
            Self::Stored { .. } => "stored",
            Self::CancelAsked { .. } => "cancel-asked",
            Self::Requeued { .. } => "requeued",
            Self::Ended { .. } => "ended",
        }
    }
}

/// Why a change does not follow.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ChangeError {
    /// The state does not allow it.
    #[error("a job that is {} cannot be changed by `{change}`", .state.word())]
    NotFrom {
        /// Where the job stands.
        state: State,
        /// What was tried.
        change: &'static str,
    },
    /// It speaks of another attempt.
    #[error("attempt {found} was named, the job is at attempt {expected}")]
    Attempt {
        /// Where the job stands.
        expected: u32,
        /// What the change says.
        found: u32,
    },
    /// Messages of agentd must ascend.
    #[error("message {found} follows message {last}")]
    Number {
        /// The last message.
        last: u64,
        /// The one that came.
        found: u64,
    },
    /// Two files of one attempt have one name.
    #[error("a file named `{0}` is already stored for this attempt")]
    NameTaken(String),
    /// The specification does not let it start again.
    #[error("the job may not be started again")]
    NoRestart,
}

/// A job as the queue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What it is; immutable.
    pub spec: JobSpec,
    /// Digest of the specification.
    pub digest: Digest,
    /// Where its inputs are stored, in the order of the specification.
    pub inputs: Vec<Artifact>,
    /// Where the bundle of its workflow is stored.
    pub bundle: Artifact,
    /// Where it stands.
    pub state: State,
    /// Which start of it this is or will be, from 1.
    pub attempt: u32,
    /// Whether its end was asked for, and by whom.
    pub cancel: Option<String>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Files of the current attempt.
    pub files: Vec<StoredFile>,
    /// The last message of agentd in this attempt.
    pub last_number: u64,
}

impl Job {
    /// A job that was just accepted.
    pub fn accepted(spec: JobSpec, inputs: Vec<Artifact>, bundle: Artifact) -> Self {
        let digest = spec.digest();
        Self {
            spec,
            digest,
            inputs,
            bundle,
            state: State::Queued,
            attempt: 1,
            cancel: None,
            ending: None,
            files: Vec::new(),
            last_number: 0,
        }
    }

    /// Whether a list of its files is signed: not if it was cancelled before
    /// agentd reported anything.
    pub fn is_listed(&self) -> bool {
        match &self.ending {
            Some(Ending::Cancelled { .. }) => self.last_number > 0,
            Some(_) => true,
            None => false,
        }
    }

    /// About how many bytes the list of its files has.
    pub fn list_bytes(&self) -> usize {
        let one = |file: &StoredFile| file.name.len().saturating_add(file.media.len());
        self.files.iter().fold(0, |sum, file| {
            sum.saturating_add(one(file)).saturating_add(64)
        })
    }

    /// Whether a change follows, without making it.
    ///
    /// # Errors
    /// [`ChangeError`] says why not.
    pub fn check(&self, change: &Change) -> Result<(), ChangeError> {
        let not_from = || ChangeError::NotFrom {
            state: self.state,
            change: change.word(),
        };
        match change {
            Change::Leased { attempt } => {
                self.at_attempt(*attempt)?;
                (self.state == State::Queued)
                    .then_some(())
                    .ok_or_else(not_from)
            }
            Change::Event {
                attempt, number, ..
            } => {
                self.at_attempt(*attempt)?;
                self.state.is_out().then_some(()).ok_or_else(not_from)?;
                self.follows(*number)
            }
            Change::Stored {
                attempt,
                number,
                file,
            } => {
                self.at_attempt(*attempt)?;
                self.state.is_out().then_some(()).ok_or_else(not_from)?;
                if self.files.iter().any(|stored| stored.name == file.name) {
                    return Err(ChangeError::NameTaken(file.name.clone()));
                }
                self.follows(*number)
            }
            Change::CancelAsked { .. } => self.state.is_out().then_some(()).ok_or_else(not_from),
            Change::Requeued { attempt, .. } => {
                self.state.is_out().then_some(()).ok_or_else(not_from)?;
                self.next_attempt()
                    .filter(|next| next == attempt)
                    .map(|_| ())
                    .ok_or(ChangeError::NoRestart)
            }
            Change::Ended { attempt, ending } => {
                self.at_attempt(*attempt)?;
                let from_queue = matches!(ending, Ending::Cancelled { .. } | Ending::Failed { .. });
                (self.state.is_out() || (self.state == State::Queued && from_queue))
                    .then_some(())
                    .ok_or_else(not_from)
            }
        }
    }

    /// Makes a change.
    ///
    /// # Errors
    /// [`ChangeError`] if it does not follow; the job is then as it was.
    pub fn apply(&mut self, change: Change) -> Result<(), ChangeError> {
        self.check(&change)?;
        match change {
            Change::Leased { .. } => {
                self.state = State::Leased;
                self.last_number = 0;
                self.files.clear();
            }
            Change::Event { number, .. } => {
                self.state = State::Running;
                self.last_number = number;
            }
            Change::Stored { number, file, .. } => {
                self.state = State::Running;
                self.last_number = number;
                self.files.push(file);
            }
            Change::CancelAsked { reason } => {
                // The first to ask is the one who is named.
                self.cancel.get_or_insert(reason);
            }
            Change::Requeued { attempt, .. } => {
                self.state = State::Queued;
                self.attempt = attempt;
                self.last_number = 0;
            }
            Change::Ended { ending, .. } => {
                self.state = ending.state();
                self.ending = Some(ending);
            }
        }
        Ok(())
    }

    /// What an interruption means for this job: exactly one change.
    ///
    /// A job whose end was asked for is never started again for having been cut off.
    pub fn interrupted(&self, code: &str, reason: &str) -> Change {
        if let Some(asked) = &self.cancel {
            return Change::Ended {
                attempt: self.attempt,
                ending: Ending::Cancelled {
                    reason: asked.clone(),
                },
            };
        }
        match self.next_attempt() {
            Some(attempt) => Change::Requeued {
                attempt,
                reason: format!("{code}: {reason}"),
            },
            None => Change::Ended {
                attempt: self.attempt,
                ending: Ending::Failed {
                    code: code.to_owned(),
                    message: reason.to_owned(),
                },
            },
        }
    }

    /// The attempt that may follow this one, if the specification allows one.
    fn next_attempt(&self) -> Option<u32> {
        let again = self.spec.on_interrupt == OnInterrupt::Requeue
            && self.cancel.is_none()
            && self.attempt < MAX_ATTEMPTS;
        again.then(|| self.attempt.saturating_add(1))
    }

    fn at_attempt(&self, found: u32) -> Result<(), ChangeError> {
        if found == self.attempt {
            Ok(())
        } else {
            Err(ChangeError::Attempt {
                expected: self.attempt,
                found,
            })
        }
    }

    fn follows(&self, found: u64) -> Result<(), ChangeError> {
        if found > self.last_number {
            Ok(())
        } else {
            Err(ChangeError::Number {
                last: self.last_number,
                found,
            })
        }
    }
}

/// A job as the journal has it. Names of files of a run that was cut off are
/// not needed any more: that run cannot go on.
impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            digest: row.spec.digest(),
            spec: row.spec,
            inputs: row.inputs,
            bundle: row.bundle,
            state: row.state,
            attempt: row.attempt,
            cancel: row.cancel,
            ending: row.ending,
            files: Vec::new(),
            last_number: row.last_number,
        }
    }
}
