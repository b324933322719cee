//! What agentd asks of a launcher, and what comes back: canonical CBOR over one
//! socket pair, one packet a message. First the groups to join, which may come long
//! before the order does.
//!
//! agentd resolves everything (profile, limits, filter) into the order; the
//! launcher only carries out. It still decodes strictly, because it is the last
//! program with privileges before a hostile one.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use casemate_protocol::codec;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use super::landlock::Rule;
use super::mounts::Mount;
use super::refusal::{At, Refusal};
use super::rlimits::Rlimits;
use crate::code;

/// Largest order: a filter is some 3 KiB, arguments and paths are bounded by this.
pub(crate) const LARGEST: usize = 64 << 10;

/// One sandbox, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Order {
    /// The sandbox's identity, as agentd's user namespace numbers it.
    #[n(0)]
    pub(crate) uid: u32,
    /// The mounted pack that becomes the root.
    #[n(1)]
    pub(crate) root: String,
    /// Mounts over it, in order.
    #[n(2)]
    pub(crate) mounts: Vec<Mount>,
    /// Landlock rules, by paths inside.
    #[n(3)]
    pub(crate) rules: Vec<Rule>,
    /// The compiled allow-list.
    #[n(4)]
    pub(crate) filter: ByteVec,
    /// Limits of each process.
    #[n(5)]
    pub(crate) rlimits: Rlimits,
    /// Program (absolute, inside) and arguments.
    #[n(6)]
    pub(crate) argv: Vec<String>,
    /// The whole environment, `NAME=value`.
    #[n(7)]
    pub(crate) environment: Vec<String>,
    /// Whether a descriptor comes along, for the program.
    #[n(8)]
    pub(crate) passed: bool,
    /// Whether user namespaces may be made below.
    #[n(9)]
    pub(crate) user_namespaces: bool,
    /// Where the program starts, inside.
    #[n(10)]
    pub(crate) directory: String,
    /// Whether there is a way to a proxy, see proxied.rs.
    #[n(11)]
    pub(crate) egress: bool,
}

/// From the launcher and the sandbox's init.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Report {
    /// Nothing runs: this step failed.
    #[n(0)]
    Refused {
        /// A code's id.
        #[n(0)]
        code: String,
        /// What could not be done.
        #[n(1)]
        what: String,
        /// Why.
        #[n(2)]
        why: String,
    },
    /// The program was executed, confined. With it comes the socket of
    /// [`Order::egress`].
    #[n(1)]
    Started,
    /// The program ended, and with it everything else in the sandbox.
    #[n(2)]
    Ended {
        /// How.
        #[n(0)]
        how: How,
        /// Microseconds of processor time, in the program's and its children's own code.
        #[n(1)]
        user_us: u64,
        /// The same in the kernel.
        #[n(2)]
        system_us: u64,
    },
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum How {
    /// It exited with this status.
    #[n(0)]
    Exited(#[n(0)] i32),
    /// This signal ended it.
    #[n(1)]
    Signalled(#[n(0)] i32),
    /// The sandbox was ended from outside, or the kernel ended its init.
    #[n(2)]
    Killed,
}

/// The first packet: which control groups the launcher shall join.
const JOIN: &[u8] = b"join";

/// Sends a launcher into the groups behind `doors`, one descriptor a controller.
pub(crate) fn send_join(socket: BorrowedFd<'_>, doors: &[OwnedFd]) -> Result<(), Refusal> {
    let doors: Vec<_> = doors.iter().map(AsFd::as_fd).collect();
    send_packet(socket, JOIN, &doors)
}

/// Sends the order, with the program's descriptor if there is one.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    order: &Order,
    passed: Option<BorrowedFd<'_>>,
) -> Result<(), Refusal> {
    send_packet(socket, &codec::encode(order), passed.as_slice())
}

/// Receives the doors of the launcher's groups.
pub(crate) fn receive_join(socket: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Refusal> {
    let (bytes, doors) = receive_packet(socket)?;
    if bytes == JOIN && !doors.is_empty() {
        Ok(doors)
    } else {
        Err(untold("the first packet names no groups"))
    }
}

/// Receives the order and the program's descriptor.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> Result<(Order, Option<OwnedFd>), Refusal> {
    let (bytes, mut fds) = receive_packet(socket)?;
    let order: Order = codec::decode_canonical(&bytes).map_err(untold)?;
    if fds.len() == usize::from(order.passed) {
        Ok((order, fds.pop()))
    } else {
        Err(untold(format!("{} descriptors came", fds.len())))
    }
}

fn untold(why: impl std::fmt::Display) -> Refusal {
    let what = "the launcher was not told what to do";
    Refusal::new(&code::SANDBOX_ORDER, what, why)
}

pub(crate) fn send_packet(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<(), Refusal> {
    let failed = || "the launcher could not be told what to do".to_owned();
    if bytes.is_empty() || bytes.len() > LARGEST {
        let why = format!(
            "the order has {} bytes, at most {LARGEST} are allowed",
            bytes.len()
        );
        return Err(Refusal::new(&code::SANDBOX_ORDER, failed(), why));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        let why = "too many descriptors";
        return Err(Refusal::new(&code::SANDBOX_ORDER, failed(), why));
    }
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )
    .map(drop)
    .at(&code::SANDBOX_ORDER, failed)
}

pub(crate) fn receive_packet(socket: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<OwnedFd>), Refusal> {
    let mut bytes = vec![0; LARGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })
    .map_err(untold)?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    bytes.truncate(got.bytes);
    Ok((bytes, fds))
}

/// Sends a report. Nobody may be listening any more; then nobody needs it.
pub(crate) fn report(socket: impl AsFd, report: &Report) {
    let bytes = codec::encode(report);
    let _gone = rustix::io::write(socket, &bytes);
}

/// Reports that the program was executed, and hands out its proxy's socket.
pub(crate) fn report_started(socket: BorrowedFd<'_>, listening: Option<OwnedFd>) {
    let fds: Vec<_> = listening.iter().map(AsFd::as_fd).collect();
    let _gone = send_packet(socket, &codec::encode(&Report::Started), &fds);
}

/// Reports a refusal.
pub(crate) fn report_refusal(socket: impl AsFd, refusal: &Refusal) {
    report(
        socket,
        &Report::Refused {
            code: refusal.code.id.to_owned(),
            what: refusal.what.clone(),
            why: refusal.why.clone(),
        },
    );
}
