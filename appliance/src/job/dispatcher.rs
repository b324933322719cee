//! The dispatcher: records what happens to jobs, then lets it happen.
//!
//! One lock holds the queue and the connection to agentd. It is held while an
//! entry is made durable, so that the order in the journal is the order of the
//! effects, and a job's cancellation can never overtake its lease. The journal
//! shares one `fdatasync` among all who commit at a time; jobs change a few
//! times a second, which is far below what that costs.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use casemate_protocol::id::{Digest, JobId};
use casemate_protocol::lease::{Diagnosis, PackOffer, ToAgent};
use tokio::sync::watch;

use super::error::JobError;
use super::link::Outbox;
use super::queue::{self, MAX_LIVE, Queue};
use super::state::{Change, Ending, Job, State};
use crate::store::Store;
use crate::store::entry::Entry;

/// How often the dispatcher looks for what nobody else does: jobs that could
/// not be settled for a full disk, and an agentd that holds a job too long.
const ROUND: Duration = Duration::from_secs(1);

/// Records what happens to jobs and hands them out.
#[derive(Debug)]
pub struct Dispatcher {
    pub(super) store: Store,
    pub(super) inner: Mutex<Inner>,
    pub(super) wake: Condvar,
    changed: watch::Sender<u64>,
}

/// What the lock protects.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) queue: Queue,
    pub(super) agent: Option<Agent>,
    pub(super) stopping: bool,
    /// Why jobs that nobody holds were cut off.
    pub(super) cut: (&'static str, String),
    /// Jobs that ended and whose list of files is not signed yet.
    pub(super) unsigned: Vec<JobId>,
    pub(super) next_connection: u64,
    pub(super) next_check: u64,
    pub(super) checks: BTreeMap<u64, SyncSender<Vec<Diagnosis>>>,
}

/// The connected agentd.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) connection: u64,
    pub(super) slots: u32,
    pub(super) packs: Vec<PackOffer>,
    pub(super) selftest: Digest,
    pub(super) outbox: Outbox,
    /// When each job that it holds is overdue.
    pub(super) deadlines: BTreeMap<JobId, Instant>,
}

/// The connected agentd, for the status.
#[derive(Debug, Clone)]
pub struct AgentStatus {
    /// Jobs that it can hold.
    pub slots: u32,
    /// Jobs that it holds.
    pub busy: usize,
    /// Its packs.
    pub packs: Vec<PackOffer>,
    /// Of the self-test that it says it passed.
    pub selftest: Digest,
}

/// What a halt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halted {
    /// Whether jobs are halted now.
    pub halted: bool,
    /// How many jobs were told to stop.
    pub stopped: usize,
}

impl Dispatcher {
    /// Takes the jobs that have not ended over from the journal and settles
    /// those that were out when the last daemon ended.
    ///
    /// # Errors
    /// [`JobError::State`] if the state cannot be read. That nothing can be
    /// added to it (a full disk) is no error: it is tried again later.
    pub fn open(store: Store) -> Result<Self, JobError> {
        let rows = store.index().jobs()?;
        let mut unsigned = Vec::new();
        let mut jobs = Vec::new();
        for row in rows {
            let signed = row.manifest.is_some();
            let job = Job::from(row);
            if job.is_listed() && !signed {
                unsigned.push(job.spec.job);
            }
            jobs.push(job);
        }
        let halted = store
            .index()
            .halt()?
            .filter(|row| row.halted)
            .map(|row| row.by);
        let queue = Queue::restore(jobs, halted);
        let (code, reason) = queue::daemon_ended();
        let dispatcher = Self {
            store,
            inner: Mutex::new(Inner {
                queue,
                agent: None,
                stopping: false,
                cut: (code, reason.to_owned()),
                unsigned,
                next_connection: 1,
                next_check: 1,
                checks: BTreeMap::new(),
            }),
            wake: Condvar::new(),
            changed: watch::channel(0).0,
        };
        // A full disk must not keep the daemon from starting; see run().
        let _ = dispatcher.settle(&mut dispatcher.lock());
        Ok(dispatcher)
    }

    /// The store behind it, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Sees a value change whenever a job changes.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock (the lints deny it), so a
        // poisoned lock cannot protect a half-made change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a change of a job, then makes it.
    pub(super) fn change(
        &self,
        inner: &mut Inner,
        id: JobId,
        change: Change,
    ) -> Result<(), JobError> {
        inner.queue.check(id, &change)?;
        self.store.commit(Entry::JobChanged {
            job: id,
            change: change.clone(),
        })?;
        let gone = !matches!(
            change,
            Change::Event { .. }
                | Change::Stored { .. }
                | Change::Leased { .. }
                | Change::CancelAsked { .. }
        );
        if let Some(job) = inner.queue.apply(id, change)?
            && job.is_listed()
        {
            inner.unsigned.push(id);
        }
        if gone && let Some(agent) = &mut inner.agent {
            agent.deadlines.remove(&id);
        }
        self.touched();
        Ok(())
    }

    fn touched(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        self.wake.notify_all();
    }

    /// Takes a job that [`super::order`] made.
    ///
    /// # Errors
    /// [`JobError`]: halted, full, stopping, or the state cannot be added to.
    pub fn submit(&self, job: Job) -> Result<JobId, JobError> {
        let id = job.spec.job;
        let mut inner = self.lock();
        if inner.stopping {
            return Err(JobError::Stopping);
        }
        if let Some(by) = inner.queue.halted() {
            return Err(JobError::Halted(by.to_owned()));
        }
        if !inner.queue.has_room() {
            return Err(JobError::Full(MAX_LIVE));
        }
        self.store.commit(Entry::JobAccepted {
            spec: job.spec.clone(),
            inputs: job.inputs.clone(),
            bundle: job.bundle,
        })?;
        inner.queue.accept(job);
        drop(inner);
        self.touched();
        Ok(id)
    }

    /// Stops a job: at once if it is queued, else by telling agentd.
    ///
    /// # Errors
    /// [`JobError`]: no such job, ended, or the state cannot be added to.
    pub fn cancel(&self, id: JobId, by: &str) -> Result<(), JobError> {
        let mut inner = self.lock();
        let Some(job) = inner.queue.get(&id) else {
            drop(inner);
            return Err(match self.store.index().job(id)? {
                Some(_) => JobError::Ended(id),
                None => JobError::NoJob(id),
            });
        };
        let reason = format!("cancelled by {by}");
        let change = match job.state {
            State::Queued => Change::Ended {
                attempt: job.attempt,
                ending: Ending::Cancelled { reason },
            },
            _ if job.cancel.is_some() => return Ok(()),
            _ => Change::CancelAsked { reason },
        };
        self.change(&mut inner, id, change)?;
        self.tell_cancel(&mut inner, id);
        Ok(())
    }

    /// Halts all jobs, or lets jobs go again.
    ///
    /// The halt itself is one entry; once that is durable every job is told to
    /// stop, and what each job's end is follows in entries of its own.
    ///
    /// # Errors
    /// [`JobError::State`] if it cannot be recorded; then nothing was halted.
    pub fn halt(&self, halted: bool, by: &str) -> Result<Halted, JobError> {
        let mut inner = self.lock();
        let before = inner
            .queue
            .live()
            .filter(|job| job.cancel.is_none())
            .count();
        if halted == inner.queue.halted().is_some() {
            return Ok(Halted { halted, stopped: 0 });
        }
        self.store.commit(Entry::HaltSet {
            halted,
            by: by.to_owned(),
        })?;
        inner.queue.set_halted(halted.then(|| by.to_owned()));
        if !halted {
            self.touched();
            return Ok(Halted { halted, stopped: 0 });
        }
        let held: Vec<JobId> = inner.queue.held().iter().copied().collect();
        for id in held {
            self.tell_cancel(&mut inner, id);
        }
        // Told already; what cannot be recorded now is recorded by run().
        let _ = self.settle(&mut inner);
        self.touched();
        Ok(Halted {
            halted,
            stopped: before,
        })
    }

    /// Tells agentd to stop a job; one that does not listen is cut off.
    pub(super) fn tell_cancel(&self, inner: &mut Inner, id: JobId) {
        if inner.queue.held().contains(&id)
            && let Some(agent) = &inner.agent
        {
            agent.outbox.send(ToAgent::Cancel { job: id });
        }
    }

    /// Records what nobody else records, until nothing is left.
    pub(super) fn settle(&self, inner: &mut Inner) -> Result<(), JobError> {
        loop {
            let (code, reason) = inner.cut.clone();
            let changes = inner.queue.settle(code, &reason);
            if changes.is_empty() {
                break;
            }
            for (id, change) in changes {
                self.change(inner, id, change)?;
            }
        }
        self.sign_lists(inner)
    }

    /// The dispatcher's own thread: leases jobs, and settles what is left.
    /// Returns when the daemon is about to end.
    pub fn run(&self) {
        loop {
            let mut inner = self.lock();
            if inner.stopping {
                return;
            }
            self.cut_overdue(&mut inner);
            // Tried again in the next round.
            let _ = self.settle(&mut inner);
            if let Some(job) = self.candidate(&inner) {
                drop(inner);
                if self.lease(&job) {
                    continue;
                }
                // Nothing could be recorded: the disk may be full.
                inner = self.lock();
            }
            drop(self.wake.wait_timeout(inner, ROUND));
        }
    }

    fn candidate(&self, inner: &Inner) -> Option<Job> {
        let agent = inner.agent.as_ref()?;
        let roots: Vec<Digest> = agent.packs.iter().map(|pack| pack.root).collect();
        inner.queue.next(&roots, agent.slots).cloned()
    }

    /// Stops: no lease from here on, agentd is let go, its jobs are settled.
    ///
    /// # Errors
    /// [`JobError::State`] if the state cannot be added to; the next start settles.
    pub fn stop(&self) -> Result<(), JobError> {
        let mut inner = self.lock();
        inner.stopping = true;
        if let Some(agent) = inner.agent.take() {
            agent.outbox.hang_up();
            inner.queue.lose_agent();
        }
        let (code, reason) = queue::daemon_ended();
        inner.cut = (code, reason.to_owned());
        let settled = self.settle(&mut inner);
        drop(inner);
        self.touched();
        settled
    }

    /// The connected agentd.
    pub fn agent(&self) -> Option<AgentStatus> {
        let inner = self.lock();
        inner.agent.as_ref().map(|agent| AgentStatus {
            slots: agent.slots,
            busy: inner.queue.held().len(),
            packs: agent.packs.clone(),
            selftest: agent.selftest,
        })
    }

    /// Who halted all jobs, if they are halted.
    pub fn halted(&self) -> Option<String> {
        self.lock().queue.halted().map(str::to_owned)
    }

    /// Whether a queued job waits for something other than its turn.
    pub fn waits_for(&self, id: JobId) -> Option<String> {
        let inner = self.lock();
        let job = inner
            .queue
            .get(&id)
            .filter(|job| job.state == State::Queued)?;
        match &inner.agent {
            None => Some("waits for agentd to connect".to_owned()),
            Some(agent)
                if !agent
                    .packs
                    .iter()
                    .any(|pack| pack.root == job.spec.pack_root) =>
            {
                Some(format!(
                    "waits for the pack {} to be mounted",
                    job.spec.pack_root
                ))
            }
            Some(_) => None,
        }
    }
}
