//! A job's proxy: reads what a hostile program asks for and relays bytes.
//!
//! It runs in a sandbox of the profile `proxy` and can make no socket; the one that it
//! listens on and those that it relays to come from agentd, which decides. A thread a
//! connection, with blocking sockets and time-outs: there are at most as many as the
//! bound of connections at once.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use casemate_protocol::Code;
use casemate_protocol::egress::{Bounds, FromProxy, ToProxy};

use super::head::{self, Request};
use super::{code, packet};
use crate::sandbox::enclosure::PASSED;
use crate::sandbox::sys;

/// Bytes taken at once from one side.
const PIECE: usize = 16 << 10;

/// What agentd answered: a socket, or the code of the refusal.
type Answer = Result<OwnedFd, String>;

/// What all connections share.
#[derive(Debug)]
struct Proxy {
    control: OwnedFd,
    bounds: Bounds,
    sent: AtomicU64,
    received: AtomicU64,
    asked: Mutex<Asked>,
    busy: Mutex<u32>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    last: u32,
    waiting: HashMap<u32, SyncSender<Answer>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The whole life of `agentd proxy`. Ends when agentd closes its end.
///
/// # Errors
/// The channel's, or what agentd said that it never says.
pub fn run() -> io::Result<()> {
    let control = sys::adopt(PASSED)?;
    let strange = || io::Error::from(io::ErrorKind::InvalidData);
    let Some((ToProxy::Serve { bounds }, Some(listening))) = packet::receive(&control)? else {
        return Err(strange());
    };
    let proxy = Arc::new(Proxy {
        control,
        bounds,
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
        asked: Mutex::default(),
        busy: Mutex::new(0),
        freed: Condvar::new(),
    });
    let serves = Arc::clone(&proxy);
    let listener = TcpListener::from(listening);
    spawn(move || serves.accept(listener))?;
    loop {
        let (number, answer) = match packet::receive::<ToProxy>(&proxy.control)? {
            Some((ToProxy::Opened { number }, Some(socket))) => (number, Ok(socket)),
            Some((ToProxy::Refused { number, code }, None)) => (number, Err(code)),
            None => return Ok(()),
            Some(_) => return Err(strange()),
        };
        let waiting = lock(&proxy.asked).waiting.remove(&number);
        // A connection that does not wait any more drops what it asked for.
        let _gone = waiting.map(|waiting| waiting.send(answer));
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().stack_size(128 << 10);
    thread.spawn(work).map(drop)
}

impl Proxy {
    /// Takes connections, as many at once as may be; the next waits where it came from.
    fn accept(self: &Arc<Self>, listener: TcpListener) {
        let mut count = 0u32;
        loop {
            let busy = lock(&self.busy);
            let full = |busy: &mut u32| *busy >= self.bounds.at_once;
            let busy = self.freed.wait_while(busy, full);
            *busy.unwrap_or_else(PoisonError::into_inner) += 1;
            let Ok((client, _)) = listener.accept() else {
                return;
            };
            count = count.saturating_add(1);
            if count > self.bounds.in_all {
                // Nothing is taken any more: the port is closed, and the last is told.
                drop(listener);
                let _asked = self.read_head(&client);
                self.refuse(&client, &code::CONNECTIONS);
                return;
            }
            let proxy = Arc::clone(self);
            let served = spawn(move || {
                proxy.serve(&client);
                proxy.free();
            });
            if served.is_err() {
                self.free();
            }
        }
    }

    fn free(&self) {
        *lock(&self.busy) -= 1;
        self.freed.notify_one();
    }

    fn serve(&self, client: &TcpStream) {
        let (request, early) = match self.read_head(client) {
            Ok(read) => read,
            // It went away, or said nothing: there is nothing to tell.
            Err(None) => return,
            Err(Some(code)) => return self.refuse(client, code),
        };
        let (host, port) = match &request {
            Request::Tunnel { host, port } | Request::Plain { host, port, .. } => (host, *port),
        };
        match self.ask(host, port) {
            Ok((number, server)) => self.relay(number, client, &server, &request, &early),
            Err(code) => answer(client, &code),
        }
    }

    /// The head, and what came after it.
    fn read_head(&self, client: &TcpStream) -> Result<(Request, Vec<u8>), Option<&'static Code>> {
        let until = Instant::now() + Duration::from_millis(self.bounds.head_ms);
        let mut bytes: Vec<u8> = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match head::parse(&bytes) {
                Ok(Some((request, length))) => {
                    let early = bytes.split_off(length);
                    // Nobody speaks in a tunnel before it is there.
                    let hasty = matches!(request, Request::Tunnel { .. }) && !early.is_empty();
                    return if hasty {
                        Err(Some(&code::REQUEST))
                    } else {
                        Ok((request, early))
                    };
                }
                Ok(None) => {}
                Err(_) => return Err(Some(&code::REQUEST)),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Some(&code::SLOW));
            }
            client.set_read_timeout(Some(left)).map_err(|_| None)?;
            match (&mut &*client).read(&mut piece) {
                Ok(0) if bytes.is_empty() => return Err(None),
                Ok(0) => return Err(Some(&code::REQUEST)),
                Ok(n) => bytes.extend(piece.get(..n).unwrap_or_default()),
                Err(e) if is_timeout(&e) => return Err(Some(&code::SLOW)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(None),
            }
        }
    }

    /// Says that a request was refused before a host was known, and answers it.
    fn refuse(&self, client: &TcpStream, code: &Code) {
        let mut asked = lock(&self.asked);
        asked.last = asked.last.saturating_add(1);
        let message = FromProxy::Malformed {
            number: asked.last,
            code: code.id.to_owned(),
        };
        // The lock keeps the numbers in order. Without agentd we end anyway.
        let _gone = packet::send(&self.control, &message, None);
        drop(asked);
        answer(client, code.id);
    }

    /// Asks agentd for a connection.
    fn ask(&self, host: &str, port: u16) -> Result<(u32, TcpStream), String> {
        let lost = || code::LOST.id.to_owned();
        let (answered, waiting) = sync_channel(1);
        let number = {
            let mut asked = lock(&self.asked);
            asked.last = asked.last.saturating_add(1);
            let number = asked.last;
            asked.waiting.insert(number, answered);
            let host = host.to_owned();
            let message = FromProxy::Open { number, host, port };
            packet::send(&self.control, &message, None).map_err(|_| lost())?;
            number
        };
        let socket = waiting.recv().map_err(|_| lost())??;
        Ok((number, TcpStream::from(socket)))
    }

    fn relay(
        &self,
        number: u32,
        client: &TcpStream,
        server: &TcpStream,
        request: &Request,
        early: &[u8],
    ) {
        let line = Line {
            proxy: self,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            last: Mutex::new(Instant::now()),
        };
        let ended = line.carry(client, server, request, early);
        let message = FromProxy::Closed {
            number,
            sent: line.sent.load(Ordering::Relaxed),
            received: line.received.load(Ordering::Relaxed),
            code: ended.err().map(|code| code.id.to_owned()),
        };
        // Without agentd we end anyway.
        let _gone = packet::send(&self.control, &message, None);
    }
}

/// One connection through the proxy.
struct Line<'a> {
    proxy: &'a Proxy,
    sent: AtomicU64,
    received: AtomicU64,
    /// When either side last said something.
    last: Mutex<Instant>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
enum Way {
    Out,
    In,
}

impl Line<'_> {
    /// # Errors
    /// The code of the bound that ended it.
    fn carry(
        &self,
        client: &TcpStream,
        server: &TcpStream,
        request: &Request,
        early: &[u8],
    ) -> Result<(), &'static Code> {
        let idle = Some(Duration::from_millis(self.proxy.bounds.idle_ms));
        for side in [client, server] {
            // Cannot fail for a time that is not 0.
            let _set = side.set_read_timeout(idle);
            let _set = side.set_write_timeout(idle);
        }
        let body = match request {
            Request::Tunnel { .. } => {
                if (&mut &*client)
                    .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    .is_err()
                {
                    return Ok(());
                }
                None
            }
            Request::Plain { head, body, .. } => {
                // What follows the body would be a second request, unseen.
                let most = usize::try_from(*body)
                    .unwrap_or(usize::MAX)
                    .min(early.len());
                self.put(server, head, Way::Out)?;
                let early = early.get(..most).unwrap_or_default();
                self.put(server, early, Way::Out)?;
                Some(body.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX)))
            }
        };
        thread::scope(|scope| {
            let down = thread::Builder::new()
                .stack_size(128 << 10)
                .spawn_scoped(scope, || {
                    let ended = self.pump(server, client, Way::In, None);
                    // A plain answer's end is the connection's; a tunnel may still send.
                    let how = if body.is_some() || ended.is_err() {
                        Shutdown::Both
                    } else {
                        Shutdown::Write
                    };
                    let _gone = client.shutdown(how);
                    ended
                });
            let Ok(down) = down else {
                return Err(&code::LOST);
            };
            let up = self.pump(client, server, Way::Out, body);
            if up.is_err() {
                let _gone = server.shutdown(Shutdown::Both);
                let _gone = client.shutdown(Shutdown::Both);
            } else if body.is_none() {
                let _gone = server.shutdown(Shutdown::Write);
            }
            let down = down.join().unwrap_or(Err(&code::LOST));
            up.and(down)
        })
    }

    /// Carries bytes one way until their end, or until `most` were carried.
    fn pump(
        &self,
        from: &TcpStream,
        to: &TcpStream,
        way: Way,
        mut most: Option<u64>,
    ) -> Result<(), &'static Code> {
        let mut piece = [0; PIECE];
        while most != Some(0) {
            let room = most
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(PIECE);
            let room = piece.get_mut(..room.min(PIECE)).unwrap_or_default();
            let got = match (&mut &*from).read(room) {
                Ok(0) => return Ok(()),
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                // The other way may have been busy meanwhile.
                Err(e) if is_timeout(&e) && !self.is_idle() => continue,
                Err(e) if is_timeout(&e) => return Err(&code::IDLE),
                // A side that broke off has ended it; that is no bound of ours.
                Err(_) => return Ok(()),
            };
            *lock(&self.last) = Instant::now();
            most = most.map(|most| most.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX)));
            if !self.put(to, room.get(..got).unwrap_or_default(), way)? {
                break;
            }
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        let idle = Duration::from_millis(self.proxy.bounds.idle_ms);
        lock(&self.last).elapsed() >= idle
    }

    /// Counts, then writes: no byte leaves that was not counted. False: that side is gone.
    fn put(&self, to: &TcpStream, bytes: &[u8], way: Way) -> Result<bool, &'static Code> {
        let (of_line, of_job, bound) = match way {
            Way::Out => (&self.sent, &self.proxy.sent, self.proxy.bounds.sent),
            Way::In => (
                &self.received,
                &self.proxy.received,
                self.proxy.bounds.received,
            ),
        };
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let before = of_job.fetch_add(count, Ordering::Relaxed);
        if before.saturating_add(count) > bound {
            return Err(&code::BYTES);
        }
        of_line.fetch_add(count, Ordering::Relaxed);
        match (&mut &*to).write_all(bytes) {
            Err(e) if is_timeout(&e) => Err(&code::IDLE),
            written => Ok(written.is_ok()),
        }
    }
}

fn is_timeout(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Tells the program that it gets nothing, and by which rule.
fn answer(client: &TcpStream, code: &str) {
    let known = code::CODES.iter().find(|known| known.id == code);
    let (id, what) = known.map_or(("egress", ""), |known| (known.id, known.what));
    let status = match id {
        "egress.request" => "400 Bad Request",
        "egress.slow" => "408 Request Timeout",
        "egress.not-granted" | "egress.site" | "egress.address" => "403 Forbidden",
        "egress.connections" => "503 Service Unavailable",
        _ => "502 Bad Gateway",
    };
    let body = format!("{id}: {what}\n");
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    // A program that is gone needs no answer. One that still sends gets it before the
    // reset that closing on unread bytes would be, if it reads at all.
    let _gone = client.set_write_timeout(Some(Duration::from_secs(1)));
    let _gone = (&mut &*client).write_all(text.as_bytes());
    let _gone = client.shutdown(Shutdown::Write);
}
