//! What agentd says and gets: leases out, events and files in.
//!
//! A message is acknowledged by the caller when the function here returns: by
//! then what it says is an entry of the journal. A piece of a file that is not
//! its last is acknowledged when it was taken; the whole file counts with its
//! last piece, and is gone if the connection breaks before that.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use casemate_attest::artifacts::{Artifact as Listed, Manifest};
use casemate_attest::digest::Digest as Hash;
use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::event::{ArtifactPart, Event, JobEnd};
use casemate_protocol::id::{Digest, JobId};
use casemate_protocol::lease::{Diagnosis, PackOffer, ToAgent, VERSION};

use super::dispatcher::{Agent, Dispatcher, Inner};
use super::error::JobError;
use super::link::{Leased, Outbox};
use super::memory::Filling;
use super::state::{Change, Ending, Job, StoredFile};
use crate::artifact::{Artifact, ArtifactWriter};
use crate::code;
use crate::keys::SubjectId;
use crate::store::entry::Entry;

/// Largest event: an entry must fit into one audit leaf.
const MAX_EVENT: usize = 32 << 10;
/// Largest file of a job.
const MAX_FILE: u64 = 256 << 20;
/// Most files of one attempt.
const MAX_FILES: usize = 4096;
/// Longest name of a file or media type.
const MAX_NAME: usize = 256;
/// Most messages of one attempt.
const MAX_MESSAGES: u64 = 200_000;
/// Most workflows that are being checked.
const MAX_CHECKS: usize = 4;
/// How long agentd may take to check a workflow.
const CHECK_PATIENCE: Duration = Duration::from_secs(60);
/// How much longer than its limit agentd may hold a job, to clean up.
const GRACE: Duration = Duration::from_secs(60);

/// A process that wants to be agentd.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// Its user.
    pub uid: u32,
    /// Its process.
    pub pid: u32,
    /// Version of its protocol.
    pub version: u32,
    /// Jobs that it can hold.
    pub slots: u32,
    /// Its packs.
    pub packs: Vec<PackOffer>,
}

/// The files that a connection is receiving, and the last number of each job.
#[derive(Debug, Default)]
pub struct Receiving {
    numbers: BTreeMap<JobId, u64>,
    files: BTreeMap<JobId, (ArtifactPart, ArtifactWriter, u64)>,
}

/// Why a connection is ended.
#[derive(Debug)]
pub enum LinkError {
    /// agentd broke the protocol.
    Malformed(String),
    /// What it says cannot be recorded.
    State(JobError),
}

impl From<JobError> for LinkError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Queue(error) => Self::Malformed(error.to_string()),
            error => Self::State(error),
        }
    }
}

impl Dispatcher {
    /// Takes a process as agentd.
    ///
    /// # Errors
    /// A sentence: another one is connected, or it speaks another version.
    pub fn connect(&self, applicant: Applicant, outbox: Outbox) -> Result<u64, LinkError> {
        if applicant.version != VERSION {
            let found = applicant.version;
            return Err(malformed(format!(
                "protocol version {found}, expected {VERSION}"
            )));
        }
        check_packs(&applicant.packs)?;
        let mut inner = self.lock();
        if inner.stopping {
            return Err(LinkError::State(JobError::Stopping));
        }
        if inner.agent.is_some() {
            return Err(malformed("another agentd is connected".to_owned()));
        }
        self.store
            .commit(Entry::AgentConnected {
                uid: applicant.uid,
                pid: applicant.pid,
                packs: applicant
                    .packs
                    .iter()
                    .map(|pack| (pack.name.clone(), pack.root))
                    .collect(),
            })
            .map_err(JobError::from)?;
        let connection = inner.next_connection;
        inner.next_connection = connection.saturating_add(1);
        inner.agent = Some(Agent {
            connection,
            slots: applicant.slots,
            packs: applicant.packs,
            outbox,
            deadlines: BTreeMap::new(),
        });
        drop(inner);
        self.wake.notify_all();
        Ok(connection)
    }

    /// agentd is gone, or was cut off: what it held is settled by each job's policy.
    pub fn disconnect(&self, connection: u64, code: &'static str, reason: &str) {
        let mut inner = self.lock();
        if inner
            .agent
            .as_ref()
            .is_none_or(|agent| agent.connection != connection)
        {
            return;
        }
        inner.agent = None;
        inner.checks.clear();
        inner.queue.lose_agent();
        inner.cut = (code, reason.to_owned());
        // If this cannot be recorded, the jobs' own entries say it as soon as they can.
        let _ = self.store.commit(Entry::AgentLost {
            code: code.to_owned(),
            message: reason.to_owned(),
        });
        // Tried again by run().
        let _ = self.settle(&mut inner);
        drop(inner);
        self.wake.notify_all();
    }

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

    /// Takes an event of a job.
    ///
    /// # Errors
    /// [`LinkError`]: agentd is to be cut off.
    pub fn event(
        &self,
        receiving: &mut Receiving,
        id: JobId,
        number: u64,
        event: Event,
    ) -> Result<(), LinkError> {
        receiving.take_number(id, number)?;
        let size = codec::encode(&event).len();
        if size > MAX_EVENT {
            return Err(malformed(format!(
                "an event of {size} bytes, at most {MAX_EVENT}"
            )));
        }
        let mut inner = self.lock();
        let attempt = held(&inner, id)?;
        let change = Change::Event {
            attempt,
            number,
            event,
        };
        Ok(self.change(&mut inner, id, change)?)
    }

    /// Takes a piece of a file of a job.
    ///
    /// # Errors
    /// [`LinkError`]: agentd is to be cut off.
    pub fn part(
        &self,
        receiving: &mut Receiving,
        id: JobId,
        number: u64,
        part: ArtifactPart,
    ) -> Result<(), LinkError> {
        receiving.take_number(id, number)?;
        held(&self.lock(), id)?;
        if let Some((first, ..)) = receiving.files.get(&id) {
            if (&first.name, first.kind, &first.media) != (&part.name, part.kind, &part.media) {
                return Err(malformed(format!(
                    "a piece of {:?} inside {:?}",
                    part.name, first.name
                )));
            }
        } else {
            check_name(&part.name)?;
            check_name(&part.media)?;
            let writer = self
                .store
                .artifact_writer(SubjectId::of_job(id))
                .map_err(JobError::from)?;
            let head = ArtifactPart {
                bytes: Vec::new().into(),
                ..part.clone()
            };
            receiving.files.insert(id, (head, writer, 0));
        }
        let Some((head, mut writer, size)) = receiving.files.remove(&id) else {
            return Ok(());
        };
        let size = size.saturating_add(u64::try_from(part.bytes.len()).unwrap_or(u64::MAX));
        if size > MAX_FILE {
            return Err(malformed(format!(
                "the file {:?} is over {MAX_FILE} bytes",
                head.name
            )));
        }
        writer.write(&part.bytes).map_err(JobError::from)?;
        if !part.last {
            receiving.files.insert(id, (head, writer, size));
            return Ok(());
        }
        let file = StoredFile {
            artifact: writer.finish().map_err(JobError::from)?,
            name: head.name,
            kind: head.kind,
            media: head.media,
        };
        let mut inner = self.lock();
        let attempt = held(&inner, id)?;
        if inner
            .queue
            .get(&id)
            .is_some_and(|job| job.files.len() >= MAX_FILES)
        {
            return Err(malformed(format!("more than {MAX_FILES} files of one job")));
        }
        let change = Change::Stored {
            attempt,
            number,
            file,
        };
        Ok(self.change(&mut inner, id, change)?)
    }

    /// A job has ended and everything of it is cleaned up.
    ///
    /// # Errors
    /// [`LinkError`]: agentd is to be cut off.
    pub fn ended(
        &self,
        receiving: &mut Receiving,
        id: JobId,
        number: u64,
        end: JobEnd,
    ) -> Result<(), LinkError> {
        receiving.take_number(id, number)?;
        receiving.forget(id);
        let mut inner = self.lock();
        let attempt = held(&inner, id)?;
        let asked = inner.queue.get(&id).and_then(|job| job.cancel.clone());
        let change = match end {
            JobEnd::Succeeded => Change::Ended {
                attempt,
                ending: Ending::Succeeded,
            },
            JobEnd::Failed { code, message } => Change::Ended {
                attempt,
                ending: Ending::Failed {
                    code: short(code),
                    message: short(message),
                },
            },
            JobEnd::Cancelled => Change::Ended {
                attempt,
                ending: Ending::Cancelled {
                    reason: asked.unwrap_or_else(|| "stopped by agentd".to_owned()),
                },
            },
            JobEnd::Interrupted { code, message } => inner
                .queue
                .interrupted(id, &short(code), &short(message))
                .map_err(JobError::from)?,
        };
        self.change(&mut inner, id, change)?;
        // Tried again by run().
        let _ = self.sign_lists(&mut inner);
        drop(inner);
        self.wake.notify_all();
        Ok(())
    }

    /// Signs the list of files of each job that ended since.
    pub(super) fn sign_lists(&self, inner: &mut Inner) -> Result<(), JobError> {
        while let Some(&id) = inner.unsigned.first() {
            self.sign_list(id)?;
            inner.unsigned.retain(|other| *other != id);
        }
        Ok(())
    }

    fn sign_list(&self, id: JobId) -> Result<(), JobError> {
        let Some(row) = self.store.index().job(id)? else {
            return Ok(());
        };
        let items = self
            .store
            .index()
            .job_artifacts(id)?
            .into_iter()
            .filter(|file| file.attempt == row.attempt && file.kind.is_some())
            .map(|file| Listed {
                name: file.name,
                media: file.media,
                size: file.artifact.size,
                sha256: Hash::new(file.artifact.digest.0),
            })
            .collect();
        let manifest = Manifest::new(id.0, Hash::new(row.spec.digest().0), items);
        let root = Digest(*manifest.root().as_bytes());
        let bytes = self.store.sign_manifest(&manifest);
        let stored = self.store.put_artifact(SubjectId::of_job(id), &bytes)?;
        self.store.commit(Entry::ManifestIssued {
            job: id,
            manifest: stored,
            root,
        })?;
        Ok(())
    }

    /// Has agentd check a workflow without running it.
    ///
    /// # Errors
    /// [`JobError::NoAgent`] if it is not there or does not answer.
    pub fn check_workflow(&self, bundle: &Bundle) -> Result<Vec<Diagnosis>, JobError> {
        let (sender, answer) = sync_channel(1);
        let mut inner = self.lock();
        let request = inner.next_check;
        inner.next_check = request.saturating_add(1);
        let Some(agent) = &inner.agent else {
            return Err(JobError::NoAgent(
                "agentd, which checks workflows, is not connected".to_owned(),
            ));
        };
        if inner.checks.len() >= MAX_CHECKS {
            return Err(JobError::NoAgent(
                "agentd is busy with other checks".to_owned(),
            ));
        }
        agent.outbox.send(ToAgent::Check {
            request,
            bundle: codec::encode(bundle).into(),
        });
        inner.checks.insert(request, sender);
        drop(inner);
        let answer = answer.recv_timeout(CHECK_PATIENCE);
        self.lock().checks.remove(&request);
        answer.map_err(|_| JobError::NoAgent("agentd did not answer the check".to_owned()))
    }

    /// agentd's answer to a check.
    ///
    /// # Errors
    /// [`LinkError`] if nobody asked.
    pub fn checked(&self, request: u64, diagnoses: Vec<Diagnosis>) -> Result<(), LinkError> {
        let mut inner = self.lock();
        if request == 0 || request >= inner.next_check {
            return Err(malformed(format!(
                "an answer to check {request}, which nobody asked for"
            )));
        }
        if let Some(asker) = inner.checks.remove(&request) {
            // Whoever asked may have stopped waiting.
            let _ = asker.send(diagnoses);
        }
        Ok(())
    }
}

impl Receiving {
    fn take_number(&mut self, id: JobId, number: u64) -> Result<(), LinkError> {
        let last = self.numbers.entry(id).or_insert(0);
        if number != last.saturating_add(1) {
            return Err(malformed(format!(
                "message {number} of job {id} follows {last}"
            )));
        }
        if number > MAX_MESSAGES {
            return Err(malformed(format!(
                "more than {MAX_MESSAGES} messages of job {id}"
            )));
        }
        *last = number;
        Ok(())
    }

    /// A job may be leased again on this connection, and counts from 1 then.
    fn forget(&mut self, id: JobId) {
        self.numbers.remove(&id);
        self.files.remove(&id);
    }
}

fn held(inner: &Inner, id: JobId) -> Result<u32, LinkError> {
    match inner.queue.get(&id) {
        Some(job) if inner.queue.held().contains(&id) => Ok(job.attempt),
        _ => Err(malformed(format!("job {id} is not leased to this agentd"))),
    }
}

fn malformed(why: String) -> LinkError {
    LinkError::Malformed(why)
}

fn check_name(name: &str) -> Result<(), LinkError> {
    let good = (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    good.then_some(())
        .ok_or_else(|| malformed(format!("{name:?} cannot name a file or its type")))
}

fn check_packs(packs: &[PackOffer]) -> Result<(), LinkError> {
    let good = packs.len() <= 16
        && packs.iter().all(|pack| {
            check_name(&pack.name).is_ok()
                && pack.applications.len() <= 256
                && pack
                    .applications
                    .iter()
                    .all(|name| check_name(name).is_ok())
        });
    good.then_some(())
        .ok_or_else(|| malformed("a pack's name or list of applications".to_owned()))
}

/// A sentence of agentd, cut to what an entry may hold.
fn short(text: String) -> String {
    if text.len() <= 4096 {
        return text;
    }
    text.chars().take(1024).collect()
}
