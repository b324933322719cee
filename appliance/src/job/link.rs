//! The socket of agentd: who may connect, and what goes over the wire.
//!
//! Blocking threads: one listens, and for the one connection one reads and one
//! writes. agentd is confined and may be in the hands of an attacker: whatever
//! is not exactly the protocol ends the connection, which is recorded, and its
//! jobs are handled as interrupted.

use std::io::{self, IoSlice, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use casemate_protocol::frame;
use casemate_protocol::id::JobId;
use casemate_protocol::lease::{ToAgent, ToDaemon};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg};

use super::agent::{Applicant, LinkError, Receiving};
use super::dispatcher::Dispatcher;
use crate::code;
use crate::store::entry::Entry;

/// How long agentd may take to say hello, and to take a frame.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many messages may wait for agentd to take them.
const BACKLOG: usize = 1024;
/// How often a stranger on the socket is recorded.
const STRANGER_PAUSE: Duration = Duration::from_secs(10);

/// A lease that is ready to go.
#[derive(Debug)]
pub struct Leased {
    /// Canonical bytes of the specification.
    pub spec: Vec<u8>,
    /// Canonical bytes of the bundle.
    pub bundle: Vec<u8>,
    /// Sealed memory of each input.
    pub inputs: Vec<OwnedFd>,
}

/// What waits to be written.
enum Outgoing {
    Message(ToAgent),
    Lease(Leased),
}

/// The way to agentd. What is put in is written in order; if agentd does not
/// take it, the connection ends.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: SyncSender<Outgoing>,
    stream: Arc<UnixStream>,
    cut: Arc<Mutex<Option<&'static str>>>,
}

impl Outbox {
    /// Sends a message.
    pub fn send(&self, message: ToAgent) {
        self.put(Outgoing::Message(message));
    }

    /// Sends a lease with its inputs.
    pub fn lease(&self, leased: Leased) {
        self.put(Outgoing::Lease(leased));
    }

    /// Ends the connection for this reason.
    pub fn cut(&self, code: &'static str) {
        self.reason().get_or_insert(code);
        self.hang_up();
    }

    /// Ends the connection.
    pub fn hang_up(&self) {
        // Fails only if it has ended already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn put(&self, outgoing: Outgoing) {
        match self.queue.try_send(outgoing) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            // Never block here: the sender may hold the dispatcher's lock.
            Err(TrySendError::Full(_)) => self.hang_up(),
        }
    }

    fn reason(&self) -> std::sync::MutexGuard<'_, Option<&'static str>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Message(_) => "Message",
            Self::Lease(_) => "Lease",
        })
    }
}

/// Listens for agentd until the listener fails.
///
/// # Errors
/// The system's, if the thread cannot be started.
pub fn listen(
    listener: UnixListener,
    dispatcher: Arc<Dispatcher>,
    agent_uid: u32,
) -> io::Result<()> {
    thread::Builder::new()
        .name("agent-door".to_owned())
        .spawn(move || {
            let mut strangers = Strangers::default();
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    // Out of descriptors, most likely: others must close some first.
                    thread::park_timeout(Duration::from_millis(100));
                    continue;
                };
                admit(stream, &dispatcher, agent_uid, &mut strangers);
            }
        })
        .map(|_| ())
}

/// Keeps a stranger who knocks all the time from filling the journal.
#[derive(Debug, Default)]
struct Strangers {
    last: Option<Instant>,
}

fn admit(
    stream: UnixStream,
    dispatcher: &Arc<Dispatcher>,
    agent_uid: u32,
    strangers: &mut Strangers,
) {
    let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
        return;
    };
    if peer.uid() != agent_uid {
        if strangers
            .last
            .is_none_or(|last| last.elapsed() > STRANGER_PAUSE)
        {
            strangers.last = Some(Instant::now());
            // Refused either way.
            let _ = dispatcher.store().commit(Entry::Denied {
                by: format!("uid:{}", peer.uid()),
                what: "connect as agentd".to_owned(),
                code: code::AGENT_REFUSED.id.to_owned(),
            });
        }
        return;
    }
    let dispatcher = Arc::clone(dispatcher);
    let (uid, pid) = (peer.uid(), u32::try_from(peer.pid()).unwrap_or(0));
    // Without a thread the connection is dropped, and agentd tries again.
    let _ = thread::Builder::new()
        .name("agent-link".to_owned())
        .spawn(move || serve(stream, &dispatcher, uid, pid));
}

/// Serves one connection to its end.
fn serve(mut stream: UnixStream, dispatcher: &Dispatcher, uid: u32, pid: u32) {
    let refused = |why: &str| {
        // Refused either way.
        let _ = dispatcher.store().commit(Entry::Denied {
            by: format!("uid:{uid} pid:{pid}"),
            what: format!("connect as agentd: {why}"),
            code: code::AGENT_MALFORMED.id.to_owned(),
        });
    };
    let hello = match hello(&mut stream) {
        Ok((version, slots, packs, selftest)) => Applicant {
            uid,
            pid,
            version,
            slots,
            packs,
            selftest,
        },
        Err(why) => return refused(&why),
    };
    let Ok(outbox) = outbox(&stream) else {
        return;
    };
    let connection = match dispatcher.connect(hello, outbox.clone()) {
        Ok(connection) => connection,
        Err(LinkError::Malformed(why)) => return refused(&why),
        Err(LinkError::State(_)) => return,
    };
    let (code, reason) = match read_all(&mut stream, dispatcher, &outbox) {
        LinkError::Malformed(why) => (code::AGENT_MALFORMED.id, why),
        LinkError::State(error) => (error.code().id, error.to_string()),
    };
    let (code, reason) = match *outbox.reason() {
        Some(cut) => (
            cut,
            "agentd held a job for longer than the job may run".to_owned(),
        ),
        None => (code, reason),
    };
    outbox.hang_up();
    dispatcher.disconnect(connection, code, &reason);
}

type Hello = (
    u32,
    u32,
    Vec<casemate_protocol::lease::PackOffer>,
    casemate_protocol::id::Digest,
);

fn hello(stream: &mut UnixStream) -> Result<Hello, String> {
    let timeouts = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    timeouts.map_err(|e| e.to_string())?;
    let message = frame::read::<ToDaemon>(stream, 1 << 20).map_err(|e| e.to_string())?;
    stream.set_read_timeout(None).map_err(|e| e.to_string())?;
    match message {
        ToDaemon::Hello {
            version,
            slots,
            packs,
            selftest,
        } => Ok((version, slots, packs, selftest)),
        _ => Err("the first message is not a hello".to_owned()),
    }
}

fn outbox(stream: &UnixStream) -> io::Result<Outbox> {
    let (queue, waiting) = sync_channel(BACKLOG);
    let outbox = Outbox {
        queue,
        stream: Arc::new(stream.try_clone()?),
        cut: Arc::new(Mutex::new(None)),
    };
    let writer = Arc::clone(&outbox.stream);
    thread::Builder::new()
        .name("agent-writer".to_owned())
        .spawn(move || {
            if write_all(&writer, &waiting).is_err() {
                // The reader sees the end and settles everything.
                let _ = writer.shutdown(Shutdown::Both);
            }
        })?;
    Ok(outbox)
}

/// Reads until the connection ends, and says why it did.
fn read_all(stream: &mut UnixStream, dispatcher: &Dispatcher, outbox: &Outbox) -> LinkError {
    let mut receiving = Receiving::default();
    loop {
        let message = match frame::read::<ToDaemon>(stream, frame::DAEMON) {
            Ok(message) => message,
            Err(e) if e.code().is_some() => return LinkError::Malformed(e.to_string()),
            Err(e) => {
                return LinkError::State(super::error::JobError::State {
                    code: &code::AGENT_LOST,
                    message: e.to_string(),
                });
            }
        };
        if let Err(error) = take(dispatcher, &mut receiving, outbox, message) {
            return error;
        }
    }
}

fn take(
    dispatcher: &Dispatcher,
    receiving: &mut Receiving,
    outbox: &Outbox,
    message: ToDaemon,
) -> Result<(), LinkError> {
    let ack = |job: JobId, number: u64| outbox.send(ToAgent::Ack { job, number });
    match message {
        ToDaemon::Hello { .. } => Err(LinkError::Malformed("a second hello".to_owned())),
        ToDaemon::Event { job, number, event } => {
            dispatcher.event(receiving, job, number, event)?;
            ack(job, number);
            Ok(())
        }
        ToDaemon::Artifact { job, number, part } => {
            dispatcher.part(receiving, job, number, part)?;
            ack(job, number);
            Ok(())
        }
        ToDaemon::Ended { job, number, end } => {
            dispatcher.ended(receiving, job, number, end)?;
            ack(job, number);
            Ok(())
        }
        ToDaemon::Checked { request, diagnoses } => dispatcher.checked(request, diagnoses),
    }
}

fn write_all(stream: &UnixStream, waiting: &Receiver<Outgoing>) -> io::Result<()> {
    let mut out = stream;
    while let Ok(outgoing) = waiting.recv() {
        match outgoing {
            Outgoing::Message(message) => frame::write(&mut out, &message)?,
            Outgoing::Lease(leased) => write_lease(stream, leased)?,
        }
    }
    Ok(())
}

/// The frame, then one zero byte an input with its descriptor attached.
fn write_lease(stream: &UnixStream, leased: Leased) -> io::Result<()> {
    let mut out = stream;
    let message = ToAgent::Lease {
        spec: leased.spec.into(),
        bundle: leased.bundle.into(),
    };
    frame::write(&mut out, &message)?;
    for input in leased.inputs {
        let fds = [input.as_raw_fd()];
        let sent = sendmsg::<()>(
            stream.as_raw_fd(),
            &[IoSlice::new(&[0])],
            &[ControlMessage::ScmRights(&fds)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        if sent != 1 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    out.flush()
}
