//! The one way out that a sandbox may have: a TCP port of its own loopback, on which
//! the job's proxy listens.
//!
//! The port is made from the inside, where nothing else is, and the listening socket
//! is handed out: no process of the proxy is in the sandbox, no port is on the host,
//! and nobody but this sandbox's processes can reach it.

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Ipv4Addr, SocketAddrV4, SocketFlags, SocketType};

use super::refusal::{At, Refusal};
use crate::code;

/// Where the proxy is, inside.
pub(crate) const PORT: u16 = 3128;
/// Connections that may wait to be taken.
const BACKLOG: i32 = 64;

/// What tells a program inside where the proxy is.
pub(crate) fn environment() -> impl Iterator<Item = String> {
    // Programs read one or the other spelling, and curl only the lower for HTTP.
    ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
        .into_iter()
        .map(|name| format!("{name}=http://127.0.0.1:{PORT}"))
}

/// Brings the loopback up and listens. In the sandbox's own network namespace, while
/// the capabilities in it are still held.
pub(crate) fn listen() -> Result<OwnedFd, Refusal> {
    let failed = || "the way to the proxy could not be made".to_owned();
    bring_up().at(&code::SANDBOX_NAMESPACE, failed)?;
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .at(&code::SANDBOX_NAMESPACE, failed)?;
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT);
    rustix::net::bind(&socket, &address).at(&code::SANDBOX_NAMESPACE, failed)?;
    rustix::net::listen(&socket, BACKLOG).at(&code::SANDBOX_NAMESPACE, failed)?;
    Ok(socket)
}

/// rtnetlink(7): a request to set `IFF_UP` on the interface 1, which is `lo` in every
/// network namespace, and its answer.
fn bring_up() -> std::io::Result<()> {
    const LENGTH: u32 = 32; // struct nlmsghdr and struct ifinfomsg
    const NEW_LINK: u16 = 16; // RTM_NEWLINK
    const REQUEST_ACK: u16 = 5; // NLM_F_REQUEST | NLM_F_ACK
    const ERROR: u16 = 2; // NLMSG_ERROR, which with error 0 is the acknowledgement
    const UP: u32 = 1; // IFF_UP
    let mut request = Vec::new();
    request.extend(LENGTH.to_ne_bytes());
    request.extend(NEW_LINK.to_ne_bytes());
    request.extend(REQUEST_ACK.to_ne_bytes());
    request.extend([0; 8]); // sequence, sender
    request.extend([0; 4]); // family, type
    request.extend(1u32.to_ne_bytes());
    request.extend(UP.to_ne_bytes());
    request.extend(UP.to_ne_bytes()); // which flags are meant
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // NETLINK_ROUTE is 0
    )?;
    rustix::io::write(&socket, &request)?;
    let mut answer = [0; 64];
    let length = rustix::io::read(&socket, &mut answer)?;
    let answer = answer.get(..length).unwrap_or_default();
    let kind = answer.get(4..6);
    let error = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) if kind == Some(&ERROR.to_ne_bytes()) => Ok(()),
        Some(errno) if errno < 0 => Err(std::io::Error::from_raw_os_error(-errno)),
        _ => Err(std::io::ErrorKind::InvalidData.into()),
    }
}
