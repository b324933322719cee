//! The connector: the one process with a network, which resolves, checks, connects.
//!
//! It has an identity, a user namespace and a mount namespace of its own beside
//! agentd's rooms, so agentd can neither trace nor replace it, and it confines itself
//! before it reads the first question: it can open what is below `/etc` of its tree
//! (hosts, name servers), connect to the ports that the site grants and to 53, and
//! listen nowhere. A name is resolved once; every address of the answer must be
//! permitted, and the connection goes to one of exactly these.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use casemate_protocol::Code;
use casemate_protocol::egress::{FromConnector, ToConnector};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::route::Routes;
use super::site::{self, Site};
use super::{code, packet};
use crate::sandbox::enclosure::PASSED;
use crate::sandbox::{self, Refusal, sys};

/// Time that one address may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried.
const TRIED: usize = 3;
/// Most addresses of a name; one with more is not a host.
const ADDRESSES: usize = 32;
/// Questions at once, of all jobs.
const AT_ONCE: usize = 256;
/// Time agentd waits: a resolver asks each of its servers twice, then come the addresses.
const PATIENCE: Timespec = Timespec {
    tv_sec: 90,
    tv_nsec: 0,
};
/// DNS, where an answer does not fit into UDP.
const DNS: u16 = 53;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    /// A stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl NoConnection {
    pub(super) fn new(code: &Code, message: impl ToString) -> Self {
        Self {
            code: code.id.to_owned(),
            message: message.to_string(),
        }
    }
}

/// agentd's way to the connector.
#[derive(Debug, Clone)]
pub struct Connector(Arc<OwnedFd>);

impl Connector {
    /// The one at descriptor `number`, as `agentd enter` passed it.
    ///
    /// # Errors
    /// The kernel's, if it is not open.
    pub fn adopt(number: i32) -> io::Result<Self> {
        Ok(Self(Arc::new(sys::adopt(number)?)))
    }

    /// The one at the other end of this socket.
    #[cfg(test)]
    pub(super) fn of(socket: OwnedFd) -> Self {
        Self(Arc::new(socket))
    }

    /// A socket that is connected to this host and port, and the address.
    ///
    /// # Errors
    /// [`NoConnection`], by the connector's words.
    pub fn connect(&self, host: &str, port: u16) -> Result<(OwnedFd, String), NoConnection> {
        let lost = |e: io::Error| NoConnection::new(&code::LOST, format!("the connector: {e}"));
        let (ours, theirs) = packet::pair().map_err(lost)?;
        let asked = ToConnector {
            host: host.to_owned(),
            port,
        };
        packet::send(&*self.0, &asked, Some(theirs.as_fd())).map_err(lost)?;
        drop(theirs);
        let mut one = [PollFd::new(&ours, PollFlags::IN)];
        let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut one, Some(&PATIENCE)));
        if ready == Ok(0) {
            let why = format!("{host}:{port} took too long");
            return Err(NoConnection::new(&code::UNREACHABLE, why));
        }
        match packet::receive(&ours).map_err(lost)? {
            Some((FromConnector::Connected { address }, Some(socket))) => Ok((socket, address)),
            Some((FromConnector::Refused { code, message }, None)) => {
                Err(NoConnection { code, message })
            }
            _ => Err(NoConnection::new(&code::LOST, "the connector ended")),
        }
    }
}

/// The whole life of `agentd connector`.
///
/// # Errors
/// [`Refusal`] if it could not confine itself; nothing was asked of it then.
pub fn run() -> Result<(), Refusal> {
    let refused = |e: io::Error| Refusal::new(&code::LOST, "the connector cannot serve", e);
    let questions = sys::adopt(PASSED).map_err(refused)?;
    let text = fs::read_to_string(site::PLACE).map_err(refused)?;
    let site = Site::parse(&text)?;
    let routes = Routes::open().map_err(refused)?;
    let mut ports = site.ports();
    ports.insert(DNS);
    sandbox::confine_connector(&ports)?;
    let desk = Arc::new(Desk {
        site,
        routes,
        busy: AtomicUsize::new(0),
    });
    // Until agentd is gone, or says what agentd never says.
    while let Ok(Some((asked, Some(reply)))) = packet::receive::<ToConnector>(&questions) {
        let desk = Arc::clone(&desk);
        let work = std::thread::Builder::new().stack_size(256 << 10);
        // Without a thread the question is dropped, and agentd sees its end close.
        let _thread = work.spawn(move || desk.answer(&asked, &reply));
    }
    Ok(())
}

/// What every question is answered from.
#[derive(Debug)]
struct Desk {
    site: Site,
    routes: Routes,
    busy: AtomicUsize,
}

impl Desk {
    fn answer(&self, asked: &ToConnector, reply: &OwnedFd) {
        let busy = self.busy.fetch_add(1, Ordering::Relaxed);
        let connected = if busy < AT_ONCE {
            self.connect(asked)
        } else {
            let why = "too many connections are being made";
            Err(NoConnection::new(&code::CONNECTIONS, why))
        };
        // Whoever does not listen any more needs no answer.
        let _gone = match connected {
            Ok((stream, address)) => {
                let address = address.to_string();
                let message = FromConnector::Connected { address };
                packet::send(reply, &message, Some(stream.as_fd()))
            }
            Err(NoConnection { code, message }) => {
                packet::send(reply, &FromConnector::Refused { code, message }, None)
            }
        };
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    fn connect(&self, asked: &ToConnector) -> Result<(TcpStream, SocketAddr), NoConnection> {
        let ToConnector { host, port } = asked;
        let addresses = self.resolve(host, *port)?;
        let mut why = String::new();
        for address in addresses.iter().take(TRIED) {
            match TcpStream::connect_timeout(address, CONNECT) {
                Ok(stream) => return Ok((stream, *address)),
                Err(e) => why = format!("{host}:{port} at {address}: {e}"),
            }
        }
        Err(NoConnection::new(&code::UNREACHABLE, why))
    }

    /// Every address of the name, if all are permitted.
    fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NoConnection> {
        let grant = self.site.grant(host, port).ok_or_else(|| {
            NoConnection::new(&code::NOT_SITE, format!("{host}:{port} is not granted"))
        })?;
        let none = |why: &dyn std::fmt::Display| {
            NoConnection::new(&code::UNRESOLVED, format!("{host}: {why}"))
        };
        let found = (host, port).to_socket_addrs().map_err(|e| none(&e))?;
        let addresses: Vec<SocketAddr> = found.take(ADDRESSES + 1).collect();
        if addresses.is_empty() || addresses.len() > ADDRESSES {
            return Err(none(&format!("it has {} addresses", addresses.len())));
        }
        for address in &addresses {
            grant
                .permit(address.ip())
                .and_then(|()| self.routes.leads_to_another(address.ip()))
                .map_err(|why| NoConnection::new(&code::ADDRESS, format!("{host}: {why}")))?;
        }
        Ok(addresses)
    }
}
