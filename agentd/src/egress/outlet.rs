//! A job's way out, as agentd holds it: the proxy's sandbox, the job's grants, the
//! record of every connection.
//!
//! The proxy has read a hostile program's bytes and may be in its hands. It is
//! believed in nothing that matters: a host must be granted to the job here and to the
//! site in the connector, a connection is recorded before its socket is handed out,
//! and whatever is out of order ends the proxy.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use casemate_protocol::egress::{self, Bounds, Endpoint, FromProxy, ToProxy};
use casemate_protocol::event::{ConnectionEvent, Event};

use super::connector::{Connector, NoConnection};
use super::{code, packet};
use crate::sandbox::{Bind, LaunchSpec, Narrowed, Refusal, Right, Running, Sandbox, enclosure};

/// Refused connections that are named; more are counted.
const NAMED: u64 = 64;
/// Time the proxy gets to say how the last connections ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Where the program is, inside.
const PROGRAM: &str = "/agent/agentd";

/// Takes an event; false: it could not be recorded, so nothing may come of it.
pub type Record = Arc<dyn Fn(Event) -> bool + Send + Sync>;

/// What an outlet is made of.
pub struct Plan {
    /// The mounted root pack, for the proxy's libraries.
    pub root: String,
    /// Names the proxy's sandbox.
    pub name: String,
    /// The proxy's identity.
    pub uid: u32,
    /// The compartment's port.
    pub listening: OwnedFd,
    /// What the job may reach.
    pub grants: Vec<Endpoint>,
    /// What its connections may use.
    pub bounds: Bounds,
    /// Who connects.
    pub connector: Connector,
    /// Who records.
    pub record: Record,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("name", &self.name)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// A job's way out. Dropped, the proxy ends and with it every connection.
#[derive(Debug)]
pub struct Outlet {
    running: Arc<Running>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and those of pending connections share.
struct State {
    control: OwnedFd,
    grants: Vec<Endpoint>,
    bounds: Bounds,
    connector: Connector,
    record: Record,
    refused: AtomicU64,
    live: Mutex<Live>,
    changed: Condvar,
}

/// Connections that are being made or stand.
#[derive(Debug, Default)]
struct Live {
    pending: u32,
    open: BTreeMap<u32, (String, u16)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("grants", &self.grants)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl Outlet {
    /// Starts the proxy and serves it.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was started.
    pub fn open(plan: Plan) -> Result<Self, Refusal> {
        let failed = |e: io::Error| Refusal::new(&code::LOST, "the proxy was not started", e);
        let (control, theirs) = packet::pair().map_err(failed)?;
        let running = Arc::new(Sandbox::spawn(LaunchSpec {
            profile: "proxy".to_owned(),
            name: plan.name,
            uid: plan.uid,
            root: plan.root,
            binds: vec![Bind {
                from: enclosure::AGENTD.to_owned(),
                at: PROGRAM.to_owned(),
                right: Right::Execute,
            }],
            argv: vec![PROGRAM.to_owned(), "proxy".to_owned()],
            environment: Vec::new(),
            passed: Some(theirs),
            limits: Narrowed::default(),
            egress: false,
        })?);
        let bounds = plan.bounds;
        let serve = ToProxy::Serve { bounds };
        packet::send(&control, &serve, Some(plan.listening.as_fd())).map_err(failed)?;
        // The proxy's is then the only one: it ends, and the port is closed.
        drop(plan.listening);
        let state = Arc::new(State {
            control,
            grants: plan.grants,
            bounds,
            connector: plan.connector,
            record: plan.record,
            refused: AtomicU64::new(0),
            live: Mutex::default(),
            changed: Condvar::new(),
        });
        let (serves, ends) = (Arc::clone(&state), Arc::clone(&running));
        let thread = thread::Builder::new()
            .name("outlet".into())
            .stack_size(256 << 10)
            .spawn(move || {
                if let Err(why) = State::serve(&serves) {
                    let lost = NoConnection::new(&code::LOST, why);
                    serves.note_refused(0, "", 0, lost);
                    ends.kill();
                }
            })
            .map_err(failed)?;
        Ok(Self {
            running,
            state,
            thread: Some(thread),
        })
    }

    /// Ends it once the proxy has said how the connections of the ended compartment
    /// ended, or after a moment. Returns the end of what the proxy wrote.
    pub fn close(mut self) -> Vec<u8> {
        self.end();
        self.running.output_tail()
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        let wait = |live: &mut Live| live.pending > 0 || !live.open.is_empty();
        let live = lock(&self.state.live);
        let waited = self
            .state
            .changed
            .wait_timeout_while(live, LAST_WORDS, wait);
        drop(waited);
        self.running.kill();
        self.running.wait();
        // The proxy's end is closed, so the thread sees the end of the stream.
        let _ended = thread.join();
        let pending = |live: &mut Live| live.pending > 0;
        let live = self
            .state
            .changed
            .wait_while(lock(&self.state.live), pending);
        let mut live = live.unwrap_or_else(PoisonError::into_inner);
        let left = std::mem::take(&mut live.open);
        drop(live);
        for (number, (host, port)) in left {
            let what = ConnectionEvent::Closed {
                sent: 0,
                received: 0,
                code: Some(code::LOST.id.to_owned()),
            };
            self.state.note(number, host, port, what);
        }
        let more = self.state.refused.load(Ordering::Relaxed);
        if more > NAMED {
            let count = more.saturating_sub(NAMED);
            (self.state.record)(Event::MoreRefused { count });
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Serves the proxy until it is gone.
    ///
    /// # Errors
    /// What it said that our proxy never says.
    fn serve(this: &Arc<Self>) -> Result<(), String> {
        let mut last = 0u32;
        loop {
            let message = match packet::receive::<FromProxy>(&this.control) {
                Ok(Some((message, None))) => message,
                Ok(Some(_)) => return Err("the proxy sent a descriptor".to_owned()),
                Ok(None) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    return Err("the proxy sent what is no message".to_owned());
                }
                Err(_) => return Ok(()),
            };
            match message {
                FromProxy::Open { number, host, port } => {
                    last = this.next(last, number)?;
                    Self::open(this, number, host, port)?;
                }
                FromProxy::Malformed { number, code } => {
                    last = this.next(last, number)?;
                    let known = code::CODES.iter().find(|known| known.id == code);
                    let known = known.ok_or("the proxy sent an unknown code")?;
                    this.note_refused(number, "", 0, NoConnection::new(known, known.what));
                }
                FromProxy::Closed {
                    number,
                    sent,
                    received,
                    code,
                } => this.closed(number, sent, received, code)?,
            }
        }
    }

    /// One number after the other, one more than may be served: the last says so.
    fn next(&self, last: u32, number: u32) -> Result<u32, String> {
        let expected = last.saturating_add(1);
        if number == expected && last <= self.bounds.in_all {
            Ok(number)
        } else {
            Err("the proxy's numbers are out of order".to_owned())
        }
    }

    fn open(this: &Arc<Self>, number: u32, host: String, port: u16) -> Result<(), String> {
        if !egress::is_name(&host) {
            return Err("the proxy asked for what is no name".to_owned());
        }
        if !this.grants.iter().any(|grant| grant.covers(&host, port)) {
            let why = format!("the job has no grant for {host}:{port}");
            let why = NoConnection::new(&code::NOT_GRANTED, why);
            this.answer_refused(number, &host, port, why);
            return Ok(());
        }
        {
            let mut live = lock(&this.live);
            let open = u32::try_from(live.open.len()).unwrap_or(u32::MAX);
            if live.pending.saturating_add(open) >= this.bounds.at_once {
                return Err("the proxy asked for more connections at once".to_owned());
            }
            live.pending = live.pending.saturating_add(1);
        }
        let state = Arc::clone(this);
        let connect = move || {
            state.connect(number, &host, port);
            let mut live = lock(&state.live);
            live.pending = live.pending.saturating_sub(1);
            drop(live);
            state.changed.notify_all();
        };
        let work = thread::Builder::new().stack_size(256 << 10);
        work.spawn(connect).map(drop).map_err(|e| {
            lock(&this.live).pending -= 1;
            e.to_string()
        })
    }

    fn connect(&self, number: u32, host: &str, port: u16) {
        let (socket, address) = match self.connector.connect(host, port) {
            Ok(connected) => connected,
            Err(why) => return self.answer_refused(number, host, port, why),
        };
        // Durable before the first byte: what cannot be recorded does not happen.
        let what = ConnectionEvent::Opened { address };
        if !self.note(number, host.to_owned(), port, what) {
            return;
        }
        lock(&self.live)
            .open
            .insert(number, (host.to_owned(), port));
        // If the proxy is gone, close() says what became of the connection.
        let _gone = packet::send(
            &self.control,
            &ToProxy::Opened { number },
            Some(socket.as_fd()),
        );
    }

    fn closed(
        &self,
        number: u32,
        sent: u64,
        received: u64,
        code: Option<String>,
    ) -> Result<(), String> {
        if code
            .as_ref()
            .is_some_and(|code| !code::CODES.iter().any(|known| known.id == code))
        {
            return Err("the proxy sent an unknown code".to_owned());
        }
        let open = lock(&self.live).open.remove(&number);
        let (host, port) = open.ok_or("the proxy closed what was not open")?;
        self.changed.notify_all();
        let what = ConnectionEvent::Closed {
            sent,
            received,
            code,
        };
        self.note(number, host, port, what);
        Ok(())
    }

    fn answer_refused(&self, number: u32, host: &str, port: u16, why: NoConnection) {
        let code = why.code.clone();
        self.note_refused(number, host, port, why);
        // A proxy that is gone needs no answer.
        let _gone = packet::send(&self.control, &ToProxy::Refused { number, code }, None);
    }

    fn note_refused(&self, number: u32, host: &str, port: u16, why: NoConnection) {
        if self.refused.fetch_add(1, Ordering::Relaxed) < NAMED {
            let NoConnection { code, message } = why;
            let what = ConnectionEvent::Refused { code, message };
            self.note(number, host.to_owned(), port, what);
        }
    }

    fn note(&self, number: u32, host: String, port: u16, what: ConnectionEvent) -> bool {
        (self.record)(Event::Connection {
            number,
            host,
            port,
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use casemate_protocol::egress::{FromConnector, ToConnector};

    use super::*;

    /// agentd's side of a proxy, without a sandbox: the test is the proxy, and a
    /// connector that gives everybody the null device.
    struct Bench {
        proxy: OwnedFd,
        served: JoinHandle<Result<(), String>>,
        events: Arc<Mutex<Vec<Event>>>,
    }

    fn bench(recordable: bool) -> Bench {
        let (control, proxy) = packet::pair().unwrap();
        let (questions, connector) = packet::pair().unwrap();
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let recorded = Arc::clone(&events);
        let state = Arc::new(State {
            control,
            grants: vec![Endpoint::parse("*.site.example:443").unwrap()],
            bounds: Bounds {
                sent: 1,
                received: 1,
                at_once: 2,
                in_all: 4,
                head_ms: 1,
                idle_ms: 1,
            },
            connector: Connector::of(questions),
            record: Arc::new(move |event| {
                lock(&recorded).push(event);
                recordable
            }),
            refused: AtomicU64::new(0),
            live: Mutex::default(),
            changed: Condvar::new(),
        });
        thread::spawn(move || {
            while let Ok(Some((asked, Some(reply)))) = packet::receive::<ToConnector>(&connector) {
                assert_eq!(asked.port, 443);
                let null = std::fs::File::open("/dev/null").unwrap();
                let address = "192.0.2.1:443".to_owned();
                let answer = FromConnector::Connected { address };
                packet::send(&reply, &answer, Some(null.as_fd())).unwrap();
            }
        });
        let served = thread::spawn(move || State::serve(&state));
        Bench {
            proxy,
            served,
            events,
        }
    }

    impl Bench {
        fn open(&self, number: u32, host: &str) {
            let host = host.to_owned();
            let message = FromProxy::Open {
                number,
                host,
                port: 443,
            };
            packet::send(&self.proxy, &message, None).unwrap();
        }

        fn answer(&self) -> (ToProxy, bool) {
            let (message, with) = packet::receive(&self.proxy).unwrap().unwrap();
            (message, with.is_some())
        }

        fn end(self) -> (Result<(), String>, Vec<Event>) {
            drop(self.proxy);
            let ended = self.served.join().unwrap();
            let events = std::mem::take(&mut *lock(&self.events));
            (ended, events)
        }
    }

    #[test]
    fn what_the_job_has_no_grant_for_is_asked_of_nobody() {
        let bench = bench(true);
        let refused = |number| {
            let code = code::NOT_GRANTED.id.to_owned();
            (ToProxy::Refused { number, code }, false)
        };
        for (number, host) in [
            (1, "site.example"),
            (2, "a.b.site.example"),
            (3, "other.example"),
        ] {
            bench.open(number, host);
            assert_eq!(bench.answer(), refused(number), "{host}");
        }
        bench.open(4, "a.site.example");
        assert_eq!(bench.answer(), (ToProxy::Opened { number: 4 }, true));
        let (ended, events) = bench.end();
        assert_eq!(ended, Ok(()));
        assert_eq!(events.len(), 4);
        assert!(matches!(
            events.last(),
            Some(Event::Connection {
                number: 4,
                what: ConnectionEvent::Opened { .. },
                ..
            })
        ));
    }

    #[test]
    fn what_cannot_be_recorded_is_not_handed_out() {
        let bench = bench(false);
        bench.open(1, "a.site.example");
        // Refused by its grant, and by then the first would have been answered.
        bench.open(2, "other.example");
        assert!(matches!(
            bench.answer(),
            (ToProxy::Refused { number: 2, .. }, false)
        ));
        let rest = Arc::clone(&bench.events);
        while lock(&rest).len() < 2 {
            thread::yield_now();
        }
        assert_eq!(bench.end().0, Ok(()));
    }

    #[test]
    fn a_proxy_out_of_order_is_ended() {
        let closed = |number| FromProxy::Closed {
            number,
            sent: 0,
            received: 0,
            code: None,
        };
        let open = |number, host: &str| FromProxy::Open {
            number,
            host: host.to_owned(),
            port: 443,
        };
        let malformed = |number, code: &str| FromProxy::Malformed {
            number,
            code: code.to_owned(),
        };
        for (what, messages) in [
            ("a number is left out", vec![open(2, "other.example")]),
            (
                "a number comes twice",
                vec![open(1, "other.example"), open(1, "other.example")],
            ),
            ("number 0", vec![malformed(0, "egress.request")]),
            ("no name", vec![open(1, "127.0.0.1")]),
            ("a star is no name", vec![open(1, "*.site.example")]),
            ("a trailing dot", vec![open(1, "a.site.example.")]),
            ("nothing was open", vec![closed(1)]),
            ("an unknown code", vec![malformed(1, "made.up")]),
            (
                "more than may be",
                (1..=6).map(|n| malformed(n, "egress.request")).collect(),
            ),
            (
                "more at once than may be",
                (1..=3).map(|n| open(n, "a.site.example")).collect(),
            ),
        ] {
            let bench = bench(true);
            for message in messages {
                // The last may find nobody there any more.
                let _gone = packet::send(&bench.proxy, &message, None);
            }
            let served = bench.served.join().unwrap();
            assert!(served.is_err(), "{what}");
        }
        let bench = bench(true);
        let with = Some(bench.proxy.as_fd());
        packet::send(&bench.proxy, &open(1, "a.site.example"), with).unwrap();
        assert!(
            bench.served.join().unwrap().is_err(),
            "a descriptor came along"
        );
        let bench = self::bench(true);
        rustix::io::write(&bench.proxy, b"\xff").unwrap();
        assert!(bench.served.join().unwrap().is_err(), "no message");
    }
}
