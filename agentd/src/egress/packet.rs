//! One message a packet, with at most one descriptor, between proxy, agentd and
//! connector.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use casemate_protocol::codec;
use casemate_protocol::egress::PACKET;
use minicbor::{Decode, Encode};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Two ends, which keep the borders of messages.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SocketType::SEQPACKET;
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        kind,
        flags,
        None,
    )?)
}

/// Sends one message.
///
/// # Errors
/// The socket's.
pub(crate) fn send<T: Encode<()>>(
    socket: impl AsFd,
    message: &T,
    with: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let bytes = codec::encode(message);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = with.as_slice();
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let slices = [IoSlice::new(&bytes)];
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(&socket, &slices, &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    Ok(())
}

/// Receives one message and what came with it; `None` when the other end is closed.
///
/// # Errors
/// The socket's, or `InvalidData` for what is not one canonical message.
pub(crate) fn receive<T>(socket: impl AsFd) -> io::Result<Option<(T, Option<OwnedFd>)>>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    let mut bytes = [0; PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::io::retry_on_intr(|| {
        let slices = &mut [IoSliceMut::new(&mut bytes)];
        rustix::net::recvmsg(&socket, slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut with = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message {
            with = fds.next();
        }
    }
    if got.bytes == 0 && with.is_none() {
        return Ok(None);
    }
    let cut = got
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    let message = bytes.get(..got.bytes).filter(|_| !cut);
    message
        .and_then(|bytes| codec::decode_canonical(bytes).ok())
        .map(|message| Some((message, with)))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use casemate_protocol::egress::ToConnector;

    use super::*;

    #[test]
    fn a_message_is_whole_or_none() {
        let (ours, theirs) = pair().unwrap();
        let asked = ToConnector {
            host: "a.example".into(),
            port: 443,
        };
        send(&ours, &asked, Some(ours.as_fd())).unwrap();
        let (got, with) = receive::<ToConnector>(&theirs).unwrap().unwrap();
        assert_eq!(got, asked);
        assert!(with.is_some());
        rustix::io::write(&ours, &[0x82]).unwrap();
        rustix::io::write(&ours, &[0; PACKET + 1]).unwrap();
        for _ in 0..2 {
            let error = receive::<ToConnector>(&theirs).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        drop((ours, with));
        assert!(receive::<ToConnector>(&theirs).unwrap().is_none());
    }
}
