//! `agentd serve`: the loop that reads the daemon's messages.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use casemate_protocol::Code;
use casemate_protocol::codec;
use casemate_protocol::frame::{self, ReadError};
use casemate_protocol::id::Digest;
use casemate_protocol::job::JobSpec;
use casemate_protocol::lease::{self, PackOffer, ToAgent, ToDaemon};
use clap::Args;
use thiserror::Error;

use super::check;
use super::code;
use super::ground::Ground;
use super::link::{self, Link};
use super::run::{self, Lease};
use crate::sandbox::How;
use crate::sandbox::uids;
use crate::selftest::{self, Founded, SelfTestError};

/// Ids that one job takes from our range: desktop, script, hands, strict checks.
const UIDS_PER_JOB: u32 = 8;
/// First id of ours that a job may have; below are agentd itself and reserve.
const FIRST_UID: u32 = 1024;

/// Arguments of `agentd serve`; `agentd enter` gives them.
#[derive(Debug, Args)]
pub struct Serve {
    /// The connection to the control daemon
    #[arg(long)]
    daemon_fd: i32,
    /// How many ids are mapped for us
    #[arg(long)]
    uid_count: u32,
    /// Jobs at once
    #[arg(long)]
    slots: u32,
}

impl Serve {
    /// Serves until the daemon ends the connection. Returns in the builder of sandboxes,
    /// with how the supervisor ended.
    ///
    /// # Errors
    /// [`ServeError`] always in the supervisor: there is no other way to stop.
    pub fn run(self) -> Result<How, ServeError> {
        let ground = Ground::brought_along().map_err(|e| ServeError::Ground(e.to_string()))?;
        let connection =
            crate::sandbox::sys::adopt(self.daemon_fd).map_err(ServeError::Connection)?;
        // Nothing is leased before every layer was shown to stand, this process's own
        // among them.
        let root = &ground.pack.mounted;
        let passed = match selftest::found(root, selftest::SERVED, &[ground.pack.templates()])? {
            Founded::Supervisor(passed) => passed,
            Founded::Builder(how) => return Ok(how),
        };
        // The three of the next job, so that its start does not wait for them.
        crate::sandbox::Sandbox::keep_ready(3);
        serve(
            UnixStream::from(connection),
            ground,
            passed.digest(),
            self.slots,
            self.uid_count,
        )
        .map(|never| match never {})
    }
}

/// Why agentd stopped serving.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The packs are not what every job needs.
    #[error("the mounted packs do not do: {0}")]
    Ground(String),
    /// A layer of the sandboxes is not known to stand.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// The passed descriptor is not a connection.
    #[error("the connection to the control daemon was not passed on: {0}")]
    Connection(std::io::Error),
    /// The daemon ended the connection.
    #[error("the control daemon ended the connection")]
    Ended,
    /// The daemon sent something that is not of this protocol.
    #[error("the control daemon sent something unexpected: {0}")]
    Malformed(String),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

impl ServeError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Ground(_) => &code::AGENTD_GROUND,
            Self::SelfTest(e) => e.code(),
            Self::Ended | Self::Connection(_) => &code::AGENTD_DAEMON_GONE,
            Self::Malformed(_) => &code::AGENTD_DAEMON_STRANGE,
            Self::Thread(_) => &code::AGENTD_NO_THREAD,
        }
    }

    /// The exit code: 1 a check failed, 3 nobody there, 5 damaged, 70 internal.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::SelfTest(_) => 1,
            Self::Ended | Self::Connection(_) => 3,
            Self::Ground(_) => 5,
            Self::Malformed(_) | Self::Thread(_) => 70,
        }
    }
}

/// Serves leases until the connection ends; returns when every job is gone.
///
/// # Errors
/// [`ServeError`] always: there is no other way to stop.
pub fn serve(
    stream: UnixStream,
    ground: Ground,
    selftest: Digest,
    slots: u32,
    uid_count: u32,
) -> Result<std::convert::Infallible, ServeError> {
    let ground = Arc::new(ground);
    let link = Link::new(stream);
    let offer = PackOffer {
        root: ground.pack.root_hash,
        name: "desktop".to_owned(),
        applications: ground
            .pack
            .applications
            .iter()
            .map(|app| app.name.clone())
            .collect(),
    };
    let hello = ToDaemon::Hello {
        version: lease::VERSION,
        slots,
        packs: vec![offer],
        selftest,
    };
    let ended = link
        .send(&hello)
        .map_err(|_| ServeError::Ended)
        .and_then(|()| {
            let server = Server {
                ground,
                link: Arc::clone(&link),
                uids: Uids::new(uid_count),
            };
            server.read_all()
        });
    link.end();
    link.wait_for_jobs();
    ended
}

struct Server {
    ground: Arc<Ground>,
    link: Arc<Link>,
    uids: Uids,
}

impl Server {
    fn read_all(&self) -> Result<std::convert::Infallible, ServeError> {
        loop {
            let mut stream = self.link.reader();
            match frame::read(&mut stream, frame::DAEMON) {
                Ok(ToAgent::Lease { spec, bundle }) => self.lease(&spec, bundle.into())?,
                Ok(ToAgent::Ack { job, number }) => self.link.acknowledge(job, number),
                Ok(ToAgent::Cancel { job }) => self.link.cancel(job),
                Ok(ToAgent::Check { request, bundle }) => self.check(request, bundle.into())?,
                Err(ReadError::Closed | ReadError::Io(_)) => return Err(ServeError::Ended),
                Err(e) => return Err(ServeError::Malformed(e.to_string())),
            }
        }
    }

    fn lease(&self, spec: &[u8], bundle: Vec<u8>) -> Result<(), ServeError> {
        let wrong = |e: &dyn std::fmt::Display| ServeError::Malformed(format!("lease: {e}"));
        let spec: JobSpec = codec::decode_canonical(spec).map_err(|e| wrong(&e))?;
        let mut inputs: Vec<OwnedFd> = Vec::new();
        for _ in &spec.inputs {
            inputs.push(link::receive_descriptor(self.link.reader()).map_err(|e| wrong(&e))?);
        }
        let Some(report) = self.link.open(spec.job) else {
            return Err(ServeError::Malformed(
                "lease: the job is running already".to_owned(),
            ));
        };
        let lease = Lease {
            spec,
            bundle,
            inputs,
            uid_base: self.uids.take(),
        };
        let ground = Arc::clone(&self.ground);
        let name = format!("job {}", lease.spec.job);
        thread::Builder::new()
            .name(name)
            .spawn(move || run::run(&ground, lease, report))
            .map(drop)
            .map_err(ServeError::Thread)
    }

    fn check(&self, request: u64, bundle: Vec<u8>) -> Result<(), ServeError> {
        let (ground, link, uid) = (
            Arc::clone(&self.ground),
            Arc::clone(&self.link),
            self.uids.take(),
        );
        thread::Builder::new()
            .name("check".to_owned())
            .spawn(move || {
                let diagnoses = check::check(&ground, uid, bundle);
                // A daemon that is gone does not need the answer.
                let _ = link.send(&ToDaemon::Checked { request, diagnoses });
            })
            .map(drop)
            .map_err(ServeError::Thread)
    }
}

/// Hands out blocks of our mapped ids, each new until the range wraps. A block is
/// not used again before the clean-up of every sandbox that had an id of it is
/// proven.
#[derive(Debug)]
struct Uids {
    next: AtomicU32,
    blocks: u32,
}

impl Uids {
    fn new(count: u32) -> Self {
        let blocks = (count.saturating_sub(FIRST_UID) / UIDS_PER_JOB).max(1);
        Self {
            next: AtomicU32::new(0),
            blocks,
        }
    }

    fn take(&self) -> u32 {
        let mut first = FIRST_UID;
        for _ in 0..self.blocks {
            let block = self.next.fetch_add(1, Ordering::Relaxed) % self.blocks;
            first = FIRST_UID.saturating_add(block.saturating_mul(UIDS_PER_JOB));
            if uids::all_free(first..first.saturating_add(UIDS_PER_JOB)) {
                break;
            }
        }
        // If all are in use, the sandboxes of this one are refused.
        first
    }
}
