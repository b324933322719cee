//! The queue: every job that has not ended, and what must happen to it next.
//!
//! Pure, as [`super::state`] is. It decides and does nothing: the dispatcher
//! records each decision in the journal and only then tells the queue with
//! [`Queue::apply`]. After a restart [`Queue::restore`] is given what the
//! journal says; whatever agentd had then is held by nobody, and
//! [`Queue::settle`] says what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use casemate_protocol::id::{Digest, JobId};
use thiserror::Error;

use super::state::{Change, ChangeError, Ending, Job, State};
use crate::code;

/// Most jobs that have not ended.
pub const MAX_LIVE: usize = 256;

/// Why the queue did not take a change.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum QueueError {
    /// No such job, or it has ended.
    #[error("job {0} is not in the queue")]
    NoJob(JobId),
    /// The job does not allow it.
    #[error("job {job}: {source}")]
    Change {
        /// The job.
        job: JobId,
        /// Why not.
        source: ChangeError,
    },
}

/// Every job that has not ended, oldest first.
#[derive(Debug, Default)]
pub struct Queue {
    jobs: BTreeMap<JobId, Job>,
    order: Vec<JobId>,
    held: BTreeSet<JobId>,
    halted: Option<String>,
}

impl Queue {
    /// The queue after a restart: jobs that have not ended, oldest first.
    pub fn restore(jobs: impl IntoIterator<Item = Job>, halted: Option<String>) -> Self {
        let mut queue = Self {
            halted,
            ..Self::default()
        };
        for job in jobs {
            if !job.state.is_final() {
                queue.accept(job);
            }
        }
        queue
    }

    /// Takes a job that the journal accepted.
    pub fn accept(&mut self, job: Job) {
        self.order.push(job.spec.job);
        self.jobs.insert(job.spec.job, job);
    }

    /// Whether one more job can be accepted.
    pub fn has_room(&self) -> bool {
        self.jobs.len() < MAX_LIVE
    }

    /// A job that has not ended.
    pub fn get(&self, job: &JobId) -> Option<&Job> {
        self.jobs.get(job)
    }

    /// Every job that has not ended, oldest first.
    pub fn live(&self) -> impl Iterator<Item = &Job> {
        self.order.iter().filter_map(|id| self.jobs.get(id))
    }

    /// Jobs that the connected agentd holds.
    pub fn held(&self) -> &BTreeSet<JobId> {
        &self.held
    }

    /// Who halted all jobs, if they are halted.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Halts all jobs, or lets jobs go again.
    pub fn set_halted(&mut self, by: Option<String>) {
        self.halted = by;
    }

    /// The job to lease next to an agentd that offers these packs, with `slots` slots.
    pub fn next(&self, packs: &[Digest], slots: u32) -> Option<&Job> {
        let free = usize::try_from(slots).unwrap_or(usize::MAX) > self.held.len();
        if !free || self.halted.is_some() {
            return None;
        }
        self.live()
            .find(|job| job.state == State::Queued && packs.contains(&job.spec.pack_root))
    }

    /// Whether a change may be recorded.
    ///
    /// # Errors
    /// [`QueueError`] says why not.
    pub fn check(&self, id: JobId, change: &Change) -> Result<(), QueueError> {
        let job = self.jobs.get(&id).ok_or(QueueError::NoJob(id))?;
        job.check(change)
            .map_err(|source| QueueError::Change { job: id, source })
    }

    /// Makes a change that was recorded; gives the job back if it has ended.
    ///
    /// # Errors
    /// [`QueueError`] if it does not follow; the queue is then as it was.
    pub fn apply(&mut self, id: JobId, change: Change) -> Result<Option<Job>, QueueError> {
        let job = self.jobs.get_mut(&id).ok_or(QueueError::NoJob(id))?;
        job.apply(change)
            .map_err(|source| QueueError::Change { job: id, source })?;
        let state = job.state;
        if state.is_out() {
            // Leased now, or held already; an orphan takes no event from anyone,
            // because its connection is gone.
            if state == State::Leased {
                self.held.insert(id);
            }
            return Ok(None);
        }
        self.held.remove(&id);
        if !state.is_final() {
            return Ok(None);
        }
        self.order.retain(|other| *other != id);
        Ok(self.jobs.remove(&id))
    }

    /// agentd is gone: nothing is held any more.
    pub fn lose_agent(&mut self) {
        self.held.clear();
    }

    /// What must be recorded because nobody else will: jobs of a halt, and jobs
    /// that were out with an agentd that is gone. At most one change a job;
    /// record and apply them, then ask again until there is none.
    pub fn settle(&self, code: &str, reason: &str) -> Vec<(JobId, Change)> {
        self.live()
            .filter_map(|job| Some((job.spec.job, self.settle_one(job, code, reason)?)))
            .collect()
    }

    fn settle_one(&self, job: &Job, code: &str, reason: &str) -> Option<Change> {
        if let Some(by) = &self.halted
            && job.cancel.is_none()
        {
            let reason = format!("halted by {by}");
            return Some(match job.state {
                State::Queued => Change::Ended {
                    attempt: job.attempt,
                    ending: Ending::Cancelled { reason },
                },
                _ => Change::CancelAsked { reason },
            });
        }
        let orphan = job.state.is_out() && !self.held.contains(&job.spec.job);
        orphan.then(|| job.interrupted(code, reason))
    }

    /// What becomes of a job whose agentd says that it was cut off.
    ///
    /// # Errors
    /// [`QueueError::NoJob`].
    pub fn interrupted(&self, id: JobId, code: &str, reason: &str) -> Result<Change, QueueError> {
        self.jobs
            .get(&id)
            .map(|job| job.interrupted(code, reason))
            .ok_or(QueueError::NoJob(id))
    }
}

/// The code and sentence for jobs that were out when the daemon ended.
pub fn daemon_ended() -> (&'static str, &'static str) {
    (
        code::JOB_INTERRUPTED.id,
        "the control daemon ended while the job ran",
    )
}
