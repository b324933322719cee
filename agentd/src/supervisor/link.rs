//! The connection to the control daemon: one reader, many job threads writing.
//!
//! Whatever a job reports is numbered; the daemon acknowledges a number when it
//! is durable. [`JobLink::report_durably`] returns only then, and an acting step
//! is performed only after that. When the connection ends every job is told to
//! stop: without a journal nothing may act.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use casemate_protocol::event::{ArtifactKind, ArtifactPart, Event, JobEnd};
use casemate_protocol::frame;
use casemate_protocol::id::JobId;
use casemate_protocol::lease::ToDaemon;
use minicbor::bytes::ByteVec;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::channel::Breaker;

/// Largest piece of an artifact in one message.
const PIECE: usize = 1 << 20;

/// The connection is gone, so nothing may act any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the control daemon is gone")]
pub struct Gone;

/// The shared side of the connection.
#[derive(Debug)]
pub struct Link {
    stream: UnixStream,
    writer: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    gone: bool,
    jobs: HashMap<JobId, Watch>,
}

/// What the reader tells a job's thread.
#[derive(Debug, Default)]
struct Watch {
    acknowledged: u64,
    cancelled: bool,
    breakers: Vec<Breaker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panicked holder leaves plain data behind that is still consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Wraps a connected socket.
    pub fn new(stream: UnixStream) -> Arc<Self> {
        Arc::new(Self {
            stream,
            writer: Mutex::new(()),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// The socket, for the one reader.
    pub fn reader(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`Gone`] when the socket does not take it; the connection is then ended.
    pub fn send(&self, message: &ToDaemon) -> Result<(), Gone> {
        let _one_at_a_time = lock(&self.writer);
        frame::write(&mut &self.stream, message).map_err(|_| {
            self.end();
            Gone
        })
    }

    /// Ends the connection: every job stops.
    pub fn end(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        let mut state = lock(&self.state);
        state.gone = true;
        for watch in state.jobs.values() {
            watch.breakers.iter().for_each(Breaker::trip);
        }
        self.changed.notify_all();
    }

    /// Notes that everything of `job` up to `number` is durable.
    pub fn acknowledge(&self, job: JobId, number: u64) {
        if let Some(watch) = lock(&self.state).jobs.get_mut(&job) {
            watch.acknowledged = watch.acknowledged.max(number);
            self.changed.notify_all();
        }
    }

    /// Tells a job to stop; unknown jobs have already ended.
    pub fn cancel(&self, job: JobId) {
        if let Some(watch) = lock(&self.state).jobs.get_mut(&job) {
            watch.cancelled = true;
            watch.breakers.iter().for_each(Breaker::trip);
            self.changed.notify_all();
        }
    }

    /// Opens the reporting side of a job, or `None` if it is leased already.
    pub fn open(self: &Arc<Self>, job: JobId) -> Option<JobLink> {
        let mut state = lock(&self.state);
        if state.jobs.contains_key(&job) {
            return None;
        }
        state.jobs.insert(job, Watch::default());
        let reporter = Reporter {
            link: Arc::clone(self),
            job,
            number: Arc::default(),
        };
        Some(JobLink {
            link: Arc::clone(self),
            job,
            reporter,
        })
    }

    /// Waits until no job is left.
    pub fn wait_for_jobs(&self) {
        let mut state = lock(&self.state);
        while !state.jobs.is_empty() {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One job's side of the connection.
#[derive(Debug)]
pub struct JobLink {
    link: Arc<Link>,
    job: JobId,
    reporter: Reporter,
}

/// What a job's threads report through, all of them in one order.
#[derive(Debug, Clone)]
pub struct Reporter {
    link: Arc<Link>,
    job: JobId,
    /// The last number used; held while a message is sent, so that they go out in order.
    number: Arc<Mutex<u64>>,
}

impl JobLink {
    /// For another thread of the job, which must end before the job does.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Has this channel ended when the job is cancelled or the daemon is gone.
    pub fn end_with_job(&self, breaker: Breaker) {
        let mut state = lock(&self.link.state);
        let gone = state.gone;
        if let Some(watch) = state.jobs.get_mut(&self.job) {
            if gone || watch.cancelled {
                breaker.trip();
            }
            watch.breakers.push(breaker);
        }
    }

    /// Whether the job was told to stop.
    pub fn cancelled(&self) -> bool {
        lock(&self.link.state)
            .jobs
            .get(&self.job)
            .is_some_and(|watch| watch.cancelled)
    }

    /// Whether the daemon is gone.
    pub fn gone(&self) -> bool {
        lock(&self.link.state).gone
    }

    /// Reports an event without waiting.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn report(&mut self, event: Event) -> Result<(), Gone> {
        self.reporter.report(event).map(drop)
    }

    /// Reports an event and returns when it is durable.
    ///
    /// # Errors
    /// [`Gone`], also when the job is cancelled meanwhile: it must not act.
    pub fn report_durably(&mut self, event: Event) -> Result<(), Gone> {
        self.reporter.report_durably(event)
    }

    /// Sends a whole artifact in pieces.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn artifact(
        &mut self,
        name: &str,
        kind: ArtifactKind,
        media: &str,
        bytes: &[u8],
    ) -> Result<(), Gone> {
        let mut rest = bytes;
        loop {
            let (piece, after) = rest.split_at_checked(PIECE).unwrap_or((rest, &[]));
            let part = ArtifactPart {
                name: name.to_owned(),
                kind,
                media: media.to_owned(),
                bytes: ByteVec::from(piece.to_vec()),
                last: after.is_empty(),
            };
            let job = self.job;
            self.reporter
                .send(|number| ToDaemon::Artifact { job, number, part })?;
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }

    /// Reports the end of the job, which is by now cleaned up.
    pub fn ended(self, end: JobEnd) {
        let job = self.job;
        // If the daemon is gone it will decide by the job's policy.
        let _ = self
            .reporter
            .send(|number| ToDaemon::Ended { job, number, end });
    }
}

impl Reporter {
    fn send(&self, message: impl FnOnce(u64) -> ToDaemon) -> Result<u64, Gone> {
        let mut number = lock(&self.number);
        *number = number.saturating_add(1);
        self.link.send(&message(*number))?;
        Ok(*number)
    }

    fn report(&self, event: Event) -> Result<u64, Gone> {
        let job = self.job;
        self.send(|number| ToDaemon::Event { job, number, event })
    }

    /// See [`JobLink::report_durably`].
    ///
    /// # Errors
    /// [`Gone`].
    pub fn report_durably(&self, event: Event) -> Result<(), Gone> {
        let number = self.report(event)?;
        let mut state = lock(&self.link.state);
        loop {
            let watch = state.jobs.get(&self.job);
            if state.gone || watch.is_none_or(|watch| watch.cancelled) {
                return Err(Gone);
            }
            if watch.is_some_and(|watch| watch.acknowledged >= number) {
                return Ok(());
            }
            state = self
                .link
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for JobLink {
    fn drop(&mut self) {
        lock(&self.link.state).jobs.remove(&self.job);
        self.link.changed.notify_all();
    }
}

/// Receives the descriptor that accompanies the single zero byte of an input.
///
/// # Errors
/// `InvalidData` if it is anything else than one zero byte with one descriptor.
pub fn receive_descriptor(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut byte = [1u8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(&mut byte)];
    let received = recvmsg(stream, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    match (
        descriptors.pop(),
        descriptors.is_empty(),
        received.bytes,
        byte,
    ) {
        (Some(descriptor), true, 1, [0]) => Ok(descriptor),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an input descriptor is missing",
        )),
    }
}
