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

#[cfg(test)]
#[allow(
    clippy::too_many_lines,
    clippy::large_enum_variant,
    reason = "a model of the daemon reads best in one piece"
)]
mod tests {
    use casemate_protocol::event::Event;
    use casemate_protocol::id::TenantId;
    use casemate_protocol::job::{Grants, JobSpec, Limits, OnInterrupt};
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;
    use crate::artifact::Artifact;
    use crate::keys::SubjectId;

    const PACK: Digest = Digest([7; 32]);

    fn job(number: u8, on_interrupt: OnInterrupt) -> Job {
        let spec = JobSpec {
            version: 1,
            job: JobId([number; 16]),
            tenant: TenantId::SYSTEM,
            requester: "uid:0".to_owned(),
            workflow: "w".to_owned(),
            bundle: PACK,
            inputs: vec![],
            parameters: vec![],
            profile: "desktop".to_owned(),
            pack_root: PACK,
            grants: Grants {
                verbs: vec![],
                applications: vec![],
                outputs: vec![],
                egress: None,
            },
            limits: Limits {
                seconds: 1,
                desktop_mib: 1,
                script_mib: 1,
                hands_mib: 1,
                workspace_mib: 1,
                steps: 1,
            },
            on_interrupt,
        };
        let bundle = Artifact {
            id: casemate_protocol::id::ArtifactId([0; 16]),
            subject: SubjectId::SYSTEM,
            size: 0,
            digest: PACK,
        };
        Job::accepted(spec, vec![], bundle)
    }

    /// What happens to the daemon; a number picks a job where one is needed.
    #[derive(Debug, Clone)]
    enum Act {
        Submit(bool),
        Lease,
        Event(u8),
        End(u8, u8),
        Cancel(u8),
        Halt(bool),
        LoseAgent,
        Crash,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            3 => any::<bool>().prop_map(Act::Submit),
            4 => proptest::strategy::Just(Act::Lease),
            4 => any::<u8>().prop_map(Act::Event),
            3 => (any::<u8>(), 0..4u8).prop_map(|(job, end)| Act::End(job, end)),
            2 => any::<u8>().prop_map(Act::Cancel),
            1 => any::<bool>().prop_map(Act::Halt),
            1 => proptest::strategy::Just(Act::LoseAgent),
            2 => proptest::strategy::Just(Act::Crash),
        ]
    }

    #[derive(Debug, Clone)]
    enum Written {
        Accepted(Job),
        Changed(JobId, Change),
        Halted(bool),
    }

    /// A daemon whose journal may take only so many entries before it dies.
    struct Daemon {
        journal: Vec<Written>,
        queue: Queue,
        left: usize,
    }

    struct Died;

    impl Daemon {
        fn write(&mut self, written: Written) -> Result<(), Died> {
            self.left = self.left.checked_sub(1).ok_or(Died)?;
            self.journal.push(written);
            Ok(())
        }

        fn change(&mut self, id: JobId, change: Change) -> Result<(), Died> {
            if self.queue.check(id, &change).is_err() {
                return Ok(());
            }
            self.write(Written::Changed(id, change.clone()))?;
            self.queue.apply(id, change).unwrap();
            Ok(())
        }

        fn settle(&mut self) -> Result<(), Died> {
            loop {
                let changes = self.queue.settle("agent.lost", "gone");
                if changes.is_empty() {
                    return Ok(());
                }
                for (id, change) in changes {
                    self.change(id, change)?;
                }
            }
        }

        fn restart(&mut self) {
            self.left = usize::MAX;
            let (jobs, halted) = replay(&self.journal);
            self.queue = Queue::restore(jobs, halted.then(|| "uid:0".to_owned()));
            assert!(self.settle().is_ok());
        }

        fn pick(&self, number: u8) -> Option<Job> {
            let live: Vec<&Job> = self.queue.live().collect();
            live.get(usize::from(number) % live.len().max(1))
                .map(|job| (*job).clone())
        }

        fn act(&mut self, act: &Act, next: u8) -> Result<(), Died> {
            match act {
                Act::Submit(again) if self.queue.halted().is_none() => {
                    let policy = if *again {
                        OnInterrupt::Requeue
                    } else {
                        OnInterrupt::Fail
                    };
                    let job = job(next, policy);
                    self.write(Written::Accepted(job.clone()))?;
                    self.queue.accept(job);
                }
                Act::Lease => {
                    if let Some(job) = self.queue.next(&[PACK], 2).cloned() {
                        let attempt = job.attempt;
                        self.change(job.spec.job, Change::Leased { attempt })?;
                    }
                }
                Act::Event(number) => {
                    if let Some(job) = self.pick(*number) {
                        let (attempt, number) = (job.attempt, job.last_number + 1);
                        let event = Event::Log {
                            text: String::new(),
                        };
                        self.change(
                            job.spec.job,
                            Change::Event {
                                attempt,
                                number,
                                event,
                            },
                        )?;
                    }
                }
                Act::End(number, end) => {
                    if let Some(job) = self.pick(*number).filter(|job| job.state.is_out()) {
                        let attempt = job.attempt;
                        let ending = match end {
                            0 => Ending::Succeeded,
                            1 => Ending::Failed {
                                code: "c".into(),
                                message: "m".into(),
                            },
                            2 => Ending::Cancelled { reason: "r".into() },
                            _ => {
                                let change = job.interrupted("c", "m");
                                return self.change(job.spec.job, change);
                            }
                        };
                        self.change(job.spec.job, Change::Ended { attempt, ending })?;
                    }
                }
                Act::Cancel(number) => {
                    if let Some(job) = self.pick(*number) {
                        let reason = "cancelled by uid:0".to_owned();
                        let change = match job.state {
                            State::Queued => Change::Ended {
                                attempt: job.attempt,
                                ending: Ending::Cancelled { reason },
                            },
                            _ => Change::CancelAsked { reason },
                        };
                        self.change(job.spec.job, change)?;
                    }
                }
                Act::Halt(halted) => {
                    self.write(Written::Halted(*halted))?;
                    self.queue.set_halted(halted.then(|| "uid:0".to_owned()));
                    self.settle()?;
                }
                Act::LoseAgent => {
                    self.queue.lose_agent();
                    self.settle()?;
                }
                Act::Submit(_) | Act::Crash => {}
            }
            Ok(())
        }
    }

    /// What the journal says: jobs in order of acceptance, and whether all are halted.
    fn replay(journal: &[Written]) -> (Vec<Job>, bool) {
        let mut jobs: Vec<Job> = Vec::new();
        let mut halted = false;
        for written in journal {
            match written {
                Written::Accepted(job) => jobs.push(job.clone()),
                Written::Changed(id, change) => {
                    let job = jobs.iter_mut().find(|job| job.spec.job == *id).unwrap();
                    job.apply(change.clone()).unwrap();
                }
                Written::Halted(now) => halted = *now,
            }
        }
        (jobs, halted)
    }

    proptest! {
        #[test]
        fn no_job_is_lost_or_run_again_in_silence(
            acts in proptest::collection::vec((act(), 0..6usize), 1..60),
        ) {
            let mut daemon = Daemon { journal: vec![], queue: Queue::default(), left: usize::MAX };
            for (at, (act, left)) in acts.iter().enumerate() {
                // A crash leaves room for a few entries of the next act and then kills it.
                let dying = matches!(act, Act::Crash);
                let next = acts.get(at + 1).filter(|_| dying);
                if let Some((next, _)) = next {
                    daemon.left = *left;
                    let _ = daemon.act(next, 200u8.wrapping_add(u8::try_from(at).unwrap()));
                }
                if dying {
                    daemon.restart();
                } else {
                    prop_assert!(daemon.act(act, u8::try_from(at).unwrap()).is_ok());
                }
            }
            // What is in memory is what the journal says.
            let (jobs, _) = replay(&daemon.journal);
            let live: Vec<JobId> =
                jobs.iter().filter(|job| !job.state.is_final()).map(|job| job.spec.job).collect();
            prop_assert_eq!(
                daemon.queue.live().map(|job| job.spec.job).collect::<Vec<_>>(), live
            );
            for job in &jobs {
                let of: Vec<&Change> = daemon.journal.iter().filter_map(|written| match written {
                    Written::Changed(id, change) if *id == job.spec.job => Some(change),
                    _ => None,
                }).collect();
                let ended = of.iter().filter(|c| matches!(c, Change::Ended { .. })).count();
                prop_assert_eq!(ended == 1, job.state.is_final());
                prop_assert!(ended <= 1);
                // Each start has its own attempt, and each after the first was announced.
                let leases: Vec<u32> = of.iter().filter_map(|c| match c {
                    Change::Leased { attempt } => Some(*attempt),
                    _ => None,
                }).collect();
                let again: Vec<u32> = of.iter().filter_map(|c| match c {
                    Change::Requeued { attempt, .. } => Some(*attempt),
                    _ => None,
                }).collect();
                for (at, attempt) in leases.iter().enumerate() {
                    prop_assert_eq!(usize::try_from(*attempt).unwrap(), at + 1);
                    prop_assert!(*attempt == 1 || again.contains(attempt));
                }
                prop_assert!(
                    again.is_empty() || job.spec.on_interrupt == OnInterrupt::Requeue
                );
            }
            // With everything let go and an agentd that does its work, all jobs end.
            daemon.queue.set_halted(None);
            daemon.queue.lose_agent();
            prop_assert!(daemon.settle().is_ok());
            for _ in 0..MAX_LIVE {
                prop_assert!(daemon.act(&Act::Lease, 0).is_ok());
                prop_assert!(daemon.act(&Act::End(0, 0), 0).is_ok());
            }
            prop_assert_eq!(daemon.queue.live().count(), 0);
        }
    }
}
