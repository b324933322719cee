//! What the kernel would do with a packet to an address.
//!
//! The machine's own addresses change, and so does what is a broadcast on its
//! networks; the kernel's answer is the only list that is never old.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// The way to ask. One question at a time.
#[derive(Debug)]
pub(super) struct Routes(Mutex<OwnedFd>);

impl Routes {
    /// Opens it; asks about the network namespace that this process is in now.
    pub(super) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None, // NETLINK_ROUTE is 0
        )?;
        Ok(Self(Mutex::new(socket)))
    }

    /// Whether packets to it leave this machine, to one other.
    ///
    /// # Errors
    /// Why not, in words: it is this machine's own, a broadcast, or nowhere.
    pub(super) fn leads_to_another(&self, address: IpAddr) -> Result<(), String> {
        const UNICAST: u8 = 1; // RTN_UNICAST
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = [0; 4096];
        let length = rustix::io::write(&*socket, &question(address))
            .and_then(|_| rustix::io::read(&*socket, &mut answer))
            .map_err(|e| format!("the kernel was not asked about {address}: {e}"))?;
        match route_kind(answer.get(..length).unwrap_or_default()) {
            Ok(UNICAST) => Ok(()),
            Ok(2) => Err(format!("{address} is this machine's own")),
            Ok(_) => Err(format!("{address} is not one machine's")),
            Err(e) => Err(format!("there is no way to {address}: {e}")),
        }
    }
}

/// rtnetlink(7): struct nlmsghdr, struct rtmsg, RTA_DST.
fn question(address: IpAddr) -> Vec<u8> {
    const GET_ROUTE: u16 = 26; // RTM_GETROUTE
    const REQUEST: u16 = 1; // NLM_F_REQUEST
    const DESTINATION: u16 = 1; // RTA_DST
    let (family, bytes) = match address {
        IpAddr::V4(a) => (2u8, a.octets().to_vec()),  // AF_INET
        IpAddr::V6(a) => (10u8, a.octets().to_vec()), // AF_INET6
    };
    let size = u16::try_from(bytes.len()).unwrap_or(16);
    let bits = u8::try_from(size.saturating_mul(8)).unwrap_or(128);
    let mut all = Vec::new();
    all.extend(u32::from(size.saturating_add(32)).to_ne_bytes());
    all.extend(GET_ROUTE.to_ne_bytes());
    all.extend(REQUEST.to_ne_bytes());
    all.extend([0; 8]); // sequence, sender
    all.extend([family, bits, 0, 0, 0, 0, 0, 0]);
    all.extend([0; 4]); // flags
    all.extend(size.saturating_add(4).to_ne_bytes());
    all.extend(DESTINATION.to_ne_bytes());
    all.extend(bytes);
    all
}

/// `rtm_type` of the answer, or the error in it.
fn route_kind(answer: &[u8]) -> io::Result<u8> {
    const NEW_ROUTE: u16 = 24; // RTM_NEWROUTE
    let strange = || io::Error::from(io::ErrorKind::InvalidData);
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
    if kind.map(u16::from_ne_bytes) == Some(NEW_ROUTE) {
        return answer.get(23).copied().ok_or_else(strange);
    }
    let error = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(errno) if errno < 0 => Err(io::Error::from_raw_os_error(-errno)),
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_its_own() {
        let routes = Routes::open().unwrap();
        let own = routes.leads_to_another("127.0.0.1".parse().unwrap());
        assert!(own.unwrap_err().contains("this machine's own"));
        let all = routes.leads_to_another("255.255.255.255".parse().unwrap());
        assert!(all.is_err());
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        assert!(route_kind(&[]).is_err());
        assert!(route_kind(&[0; 64]).is_err());
        let mut short = vec![0; 20];
        short[4] = 24;
        assert!(route_kind(&short).is_err());
    }
}
