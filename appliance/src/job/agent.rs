//! What agentd says and gets: leases out, events and files in.
//!
//! A message is acknowledged by the caller when the function here returns: by
//! then what it says is an entry of the journal. A piece of a file that is not
//! its last is acknowledged when it was taken; the whole file counts with its
//! last piece, and is gone if the connection breaks before that.

use std::collections::BTreeMap;

use casemate_protocol::codec;
use casemate_protocol::event::{ArtifactPart, Event, JobEnd};
use casemate_protocol::id::{Digest, JobId};
use casemate_protocol::lease::{PackOffer, VERSION};

use super::dispatcher::{Agent, Dispatcher, Inner};
use super::error::JobError;
use super::link::Outbox;
use super::state::{Change, Ending, Job, StoredFile};
use crate::artifact::ArtifactWriter;
use crate::keys::SubjectId;
use crate::store::entry::Entry;

/// Largest event: an entry must fit into one audit leaf.
const MAX_EVENT: usize = 32 << 10;
/// Largest file of a job.
const MAX_FILE: u64 = 256 << 20;
/// Most bytes of the list of one attempt's files: a job that makes more files is
/// told to stop. The signed list must stay below the format's 1 MiB.
const MAX_LIST: usize = 900_000;
/// How much more may come until it has stopped.
const MORE_LIST: usize = 100_000;
/// Longest name of a file or media type.
const MAX_NAME: usize = 128;
/// Most messages of one attempt.
const MAX_MESSAGES: u64 = 200_000;

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
    /// Of the self-test that it says it passed.
    pub selftest: Digest,
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
            selftest: applicant.selftest,
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
        self.stored(id, number, file)
    }

    /// Records a file that is stored whole.
    fn stored(&self, id: JobId, number: u64, file: StoredFile) -> Result<(), LinkError> {
        let mut inner = self.lock();
        let attempt = held(&inner, id)?;
        let listed = inner.queue.get(&id).map_or(0, Job::list_bytes);
        if listed > MAX_LIST.saturating_add(MORE_LIST) {
            return Err(malformed(format!("job {id} makes files without end")));
        }
        let change = Change::Stored {
            attempt,
            number,
            file,
        };
        self.change(&mut inner, id, change)?;
        if listed > MAX_LIST {
            let reason = "it made more files than a list of files may have".to_owned();
            self.change(&mut inner, id, Change::CancelAsked { reason })?;
            self.tell_cancel(&mut inner, id);
        }
        Ok(())
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
