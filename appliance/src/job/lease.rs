//! Handing a queued job out, and noticing that it never comes back.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use casemate_protocol::codec;

use super::dispatcher::{Dispatcher, Inner};
use super::error::JobError;
use super::link::Leased;
use super::memory::Filling;
use super::state::{Change, Ending, Job};
use crate::artifact::Artifact;
use crate::code;

/// How much longer than its limit agentd may hold a job, to clean up.
const GRACE: Duration = Duration::from_secs(60);

impl Dispatcher {
    /// Hands a queued job out: inputs and bundle first, then the entry, then the
    /// frame. False if it is as it was because nothing could be recorded.
    pub(super) fn lease(&self, job: &Job) -> bool {
        let (id, attempt) = (job.spec.job, job.attempt);
        let prepared = self.prepare(job);
        let mut inner = self.lock();
        // It may have been cancelled, and agentd may have gone, meanwhile.
        let Some(slots) = inner.agent.as_ref().map(|agent| agent.slots) else {
            return true;
        };
        let next = inner.queue.next(&[job.spec.pack_root], slots);
        if inner.stopping || next.is_none_or(|next| next.spec.job != id) {
            return true;
        }
        let leased = match prepared {
            Ok(leased) => leased,
            Err(error) => {
                let ending = Ending::Failed {
                    code: error.code().id.to_owned(),
                    message: error.to_string(),
                };
                let ended = Change::Ended { attempt, ending };
                return self.change(&mut inner, id, ended).is_ok();
            }
        };
        // Recorded first; what is not recorded is not handed out.
        if self
            .change(&mut inner, id, Change::Leased { attempt })
            .is_err()
        {
            return false;
        }
        if let Some(agent) = &mut inner.agent {
            let limit = Duration::from_secs(u64::from(job.spec.limits.seconds));
            agent.deadlines.insert(id, Instant::now() + limit + GRACE);
            agent.outbox.lease(leased);
        }
        true
    }

    fn prepare(&self, job: &Job) -> Result<Leased, JobError> {
        let bundle = self.read_bundle(job.bundle)?;
        let mut inputs = Vec::with_capacity(job.inputs.len());
        for input in &job.inputs {
            inputs.push(self.memory(*input)?);
        }
        Ok(Leased {
            spec: codec::encode(&job.spec),
            bundle,
            inputs,
        })
    }

    fn memory(&self, artifact: Artifact) -> Result<OwnedFd, JobError> {
        let memory = |e: std::io::Error| JobError::State {
            code: &code::INTERNAL,
            message: format!("memory for an input: {e}"),
        };
        let mut filling = Filling::new().map_err(memory)?;
        let mut reader = self.store.artifact_reader(artifact)?;
        while let Some(chunk) = reader.next_chunk()? {
            filling.write(&chunk).map_err(memory)?;
        }
        filling.seal().map_err(memory)
    }

    /// Cuts agentd off if it holds a job for longer than the job may run.
    pub(super) fn cut_overdue(&self, inner: &mut Inner) {
        let now = Instant::now();
        let Some(agent) = &inner.agent else {
            return;
        };
        if agent.deadlines.values().any(|deadline| *deadline < now) {
            agent.outbox.cut(code::AGENT_OVERDUE.id);
        }
    }
}
