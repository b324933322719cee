//! The audit reader: a process of its own, between the kernel's audit stream and
//! agentd.
//!
//! The stream tells of every process of the machine, so whoever reads it is trusted
//! with that and with nothing else: a user of its own, `CAP_AUDIT_READ` as the only
//! capability, no file, no program, no new descriptor, and about a dozen system
//! calls. What it passes on are facts about users of agentd's range, parsed and cut;
//! what it gets are requests to say when it is up to date. It ends with agentd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use casemate_protocol::codec;
use clap::Args;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreated, RulesetStatus, Scope,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, LinkNameSpaceType,
    move_into_link_name_space,
};
use seccompiler::TargetArch;
use serde_json::{Value, json};

use super::fact::{FRAME, Fact, FromReader, ToReader};
use super::record::{LONGEST, Record};
use super::stream::{Stream, Told};
use crate::code;
use crate::sandbox::Refusal;

/// AUDIT_NLGRP_READLOG.
const READ_LOG: u32 = 1;
/// Bytes of records that may wait.
const WAITING: usize = 4 << 20;
/// Kinds of fact that wait to be passed on.
const BATCH: usize = 128;
/// Most records taken before what waits is passed on.
const BURST: usize = 512;
/// How often the mark is made again until it has come by: it may get lost.
const AGAIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// The one system call that writes a record of its own: see [`confine`].
const MARK: &str = "getppid";

/// Arguments of the hidden `agentd audit-reader`; the channel is its input.
#[derive(Debug, Args)]
pub struct Reader {
    /// First user of agentd's range
    #[arg(long)]
    base: u32,
    /// How many
    #[arg(long)]
    count: u32,
    /// The user to become
    #[arg(long)]
    uid: u32,
}

impl Reader {
    /// The whole life of the reader.
    pub fn main(&self) -> ExitCode {
        // What leaked in is gone before anything is opened.
        if crate::sandbox::sys::close_inherited().is_err() {
            return ExitCode::FAILURE;
        }
        match self.prepare() {
            Ok(mut listening) => listening.listen(),
            // agentd sees the channel end and says that nobody watches.
            Err(_refusal) => ExitCode::FAILURE,
        }
    }

    /// Gives up everything; the order is forced, see the comments.
    fn prepare(&self) -> Result<Listening, Refusal> {
        let failed = |e: &dyn std::fmt::Display| {
            Refusal::new(
                &code::SANDBOX_PRIVILEGE,
                "the audit reader did not start",
                e,
            )
        };
        let errno = |e: rustix::io::Errno| failed(&e);
        let channel = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3).map_err(errno)?;
        // 1. The socket, as root of the host: its buffer may be as large as needed. The kernel
        // tells only the first network namespace, where its threads are and agentd need not be.
        let first = rustix::fs::open(
            "/proc/2/ns/net",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(errno)?;
        move_into_link_name_space(first.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(errno)?;
        drop(first);
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::AUDIT),
        )
        .map_err(errno)?;
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, WAITING).map_err(errno)?;
        // 2. A user of its own, with one capability.
        become_user(self.uid).map_err(errno)?;
        // 3. What the capability is for.
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, READ_LOG)).map_err(errno)?;
        // 4. Nothing new can be had: no descriptor, no file, no process.
        limit().map_err(errno)?;
        // 5. No file, no port, no signal: no rule at all.
        restrict().map_err(|e| failed(&e))?;
        let stream = Stream::new(
            self.base,
            self.count,
            (
                std::process::id(),
                u32::try_from(libc::SYS_getppid).unwrap_or(0),
            ),
        );
        // 6. System calls, last: every step above needs some that this forbids.
        confine().map_err(|e| failed(&e))?;
        Ok(Listening {
            socket,
            channel,
            stream,
            waiting: Vec::new(),
            flush: None,
            ready: false,
        })
    }
}

/// Another user and group, no other group, `CAP_AUDIT_READ` and no way to more.
fn become_user(uid: u32) -> rustix::io::Result<()> {
    let kept = CapabilitySet::AUDIT_READ;
    for bit in 0..64u32 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if one == kept {
            continue;
        }
        match rustix::thread::capability_is_in_bounding_set(one) {
            Ok(true) => rustix::thread::remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            Err(rustix::io::Errno::INVAL) => break,
            Err(e) => return Err(e),
        }
    }
    // The change of user takes no capability, and no later one gives any.
    rustix::thread::set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    )?;
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    rustix::thread::clear_ambient_capability_set()?;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets)?;
    if rustix::thread::capabilities(None)? != sets {
        return Err(rustix::io::Errno::PERM);
    }
    rustix::thread::set_no_new_privs(true)
}

fn limit() -> rustix::io::Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let most = |limit| Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    for (resource, limit) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        // The rules of nothing need one descriptor more.
        (Resource::Nofile, 16),
        (Resource::As, 1 << 30),
    ] {
        rustix::process::setrlimit(resource, most(limit))?;
    }
    Ok(())
}

/// Landlock, every right of the ABI that the product asks of a kernel, and no rule.
fn restrict() -> Result<(), String> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V7))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V7)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V7)))
        .and_then(Ruleset::create)
        .and_then(RulesetCreated::restrict_self)
        .map_err(|e| e.to_string())?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        other => Err(format!("the kernel reports {other:?}")),
    }
}

/// Two filters: the list of calls, all else kills; and the mark, which is allowed
/// and recorded, so that it comes by in the stream behind all that was before it.
fn confine() -> Result<(), String> {
    let prot = |value: u32| json!({ "index": 2, "type": "dword", "op": "eq", "val": value });
    let calls = [
        "read",
        "write",
        "recvfrom",
        "sendto",
        "poll",
        "ppoll",
        "close",
        "brk",
        "munmap",
        "mremap",
        "madvise",
        "rt_sigreturn",
        "sigaltstack",
        "exit",
        "exit_group",
        "futex",
        "restart_syscall",
        MARK,
    ];
    let plain = calls.iter().map(|name| json!({ "syscall": name }));
    // PROT_READ | PROT_WRITE, PROT_NONE: no memory becomes a program.
    let memory = ["mmap", "mprotect"].iter().flat_map(|name| {
        [3u32, 1, 0].map(|value| json!({ "syscall": name, "args": [prot(value)] }))
    });
    let list = json!({ "list": {
        "mismatch_action": "kill_process",
        "match_action": "allow",
        "filter": plain.chain(memory).collect::<Vec<Value>>(),
    }});
    let mark = json!({ "list": {
        "mismatch_action": "allow",
        "match_action": "log",
        "filter": [{ "syscall": MARK }],
    }});
    // Both are compiled before either stands: compiling needs more than they allow.
    let programs = [list, mark].map(|filter| {
        seccompiler::compile_from_json(filter.to_string().as_bytes(), TargetArch::x86_64)
            .map_err(|e| e.to_string())
            .and_then(|mut all| all.remove("list").ok_or("it is empty".to_owned()))
    });
    let [list, mark] = programs;
    let (list, mark) = (list?, mark?);
    seccompiler::apply_filter(&mark).map_err(|e| e.to_string())?;
    seccompiler::apply_filter(&list).map_err(|e| e.to_string())
}

/// Confined, with the two descriptors it lives from.
#[derive(Debug)]
struct Listening {
    socket: OwnedFd,
    channel: OwnedFd,
    stream: Stream,
    /// In the order in which they came; few enough to be looked through.
    waiting: Vec<(u32, Fact, u64)>,
    /// The request that is not answered yet.
    flush: Option<u64>,
    /// Its first mark has come by.
    ready: bool,
}

impl Listening {
    fn listen(&mut self) -> ExitCode {
        // Until its own first mark has come by, what comes was denied before it was there:
        // to those who had the same users before.
        mark();
        loop {
            let timeout = (!self.ready || self.flush.is_some()).then_some(AGAIN);
            let mut both = [
                PollFd::new(&self.channel, PollFlags::IN),
                PollFd::new(&self.socket, PollFlags::IN),
            ];
            match rustix::event::poll(&mut both, timeout.as_ref()) {
                Ok(0) => mark(),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return ExitCode::FAILURE,
            }
            let [asked, there] = both.map(|one| !one.revents().is_empty());
            if asked && !self.asked() {
                // agentd is gone, or is not what it was.
                return ExitCode::SUCCESS;
            }
            if there && self.drain().and_then(|()| self.pass_on()).is_err() {
                return ExitCode::FAILURE;
            }
        }
    }

    /// Takes a request; `false` ends the reader.
    fn asked(&mut self) -> bool {
        let mut bytes = [0; FRAME];
        let length = match receive(self.channel.as_fd(), &mut bytes) {
            Ok(Some(length)) if length > 0 => length,
            Ok(None) => return true,
            _ => return false,
        };
        let request = bytes.get(..length).unwrap_or_default();
        match codec::decode_canonical(request) {
            Ok(ToReader::Flush { number }) => {
                self.flush = Some(number);
                mark();
                true
            }
            Err(_) => false,
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        let mut bytes = [0; LONGEST + 64];
        for _ in 0..BURST {
            let length = match receive(self.socket.as_fd(), &mut bytes) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                // Records did not fit; their numbers are missed by the stream.
                Err(rustix::io::Errno::NOBUFS) => continue,
                Err(e) => return Err(e.into()),
            };
            let record = bytes.get(..length).and_then(record);
            let Some(record) = record else { continue };
            let told = self.stream.take(record);
            for one in told {
                self.sort(one)?;
            }
        }
        Ok(())
    }

    fn sort(&mut self, told: Told) -> io::Result<()> {
        match told {
            Told::Mark if !self.ready => {
                self.ready = true;
                self.stream.forget();
                self.tell(&FromReader::Ready)
            }
            _ if !self.ready => Ok(()),
            Told::Fact(uid, fact) => {
                let known = |one: &&mut (u32, Fact, u64)| one.0 == uid && one.1 == fact;
                if let Some((_, _, count)) = self.waiting.iter_mut().find(known) {
                    *count = count.saturating_add(1);
                    return Ok(());
                }
                if self.waiting.len() >= BATCH {
                    self.pass_on()?;
                }
                self.waiting.push((uid, fact, 1));
                Ok(())
            }
            Told::Unseen(uid, count) => {
                self.pass_on()?;
                self.tell(&FromReader::Unseen { uid, count })
            }
            Told::Mark => {
                self.pass_on()?;
                match self.stream.lost() {
                    0 => {}
                    count => self.tell(&FromReader::Lost { count })?,
                }
                match self.flush.take() {
                    Some(number) => self.tell(&FromReader::Flushed { number }),
                    // The mark of a request that was answered by an earlier one.
                    None => Ok(()),
                }
            }
        }
    }

    /// Tells agentd what waits. If agentd does not listen, this blocks, the kernel's
    /// buffer fills, and what is lost is counted by its numbers.
    fn pass_on(&mut self) -> io::Result<()> {
        for (uid, fact, count) in std::mem::take(&mut self.waiting) {
            self.tell(&FromReader::Seen { uid, fact, count })?;
        }
        Ok(())
    }

    fn tell(&self, message: &FromReader) -> io::Result<()> {
        let bytes = codec::encode(message);
        if bytes.len() > FRAME {
            return Ok(());
        }
        rustix::net::send(&self.channel, &bytes, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// Has the kernel write a record of the reader's own.
fn mark() {
    let _recorded = rustix::process::getppid();
}

/// The next packet if one is there.
fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> rustix::io::Result<Option<usize>> {
    match rustix::net::recv(socket, bytes, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
        Ok((_, length)) => Ok(Some(length)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A netlink message of the audit stream. Only the kernel can send to the group:
/// others need CAP_NET_ADMIN in the host's network namespace.
fn record(message: &[u8]) -> Option<Record> {
    let length = message.get(..4)?.try_into().ok()?;
    let length = usize::try_from(u32::from_ne_bytes(length)).ok()?;
    let kind = message.get(4..6)?.try_into().ok()?;
    // Text and perhaps padding.
    let text = message.get(16..length)?;
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    Record::parse(u16::from_ne_bytes(kind), text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u32 = 600_000_000;

    fn pair() -> (OwnedFd, OwnedFd) {
        rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap()
    }

    /// A record as the kernel sends it.
    fn send(kernel: &OwnedFd, kind: u16, serial: u64, rest: &str) {
        let text = format!("audit(1.000:{serial}): {rest}");
        let length = u32::try_from(text.len() + 16).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(text.as_bytes());
        rustix::io::write(kernel, &message).unwrap();
    }

    fn filtered(kernel: &OwnedFd, serial: u64, (uid, pid, call): (u32, u32, i64)) {
        let rest = format!(
            "auid=4294967295 uid={uid} gid={uid} ses=4294967295 pid={pid} comm=\"x\" \
             exe=\"/x\" sig=0 arch=c000003e syscall={call} compat=0 ip=0x1 code=0x50000"
        );
        send(kernel, super::super::record::SECCOMP, serial, &rest);
    }

    fn next(agentd: &OwnedFd) -> FromReader {
        let mut bytes = [0; FRAME];
        let length = rustix::io::read(agentd, &mut bytes).unwrap();
        codec::decode_canonical(&bytes[..length]).unwrap()
    }

    #[test]
    fn what_was_denied_before_it_listened_is_not_told() {
        let ((socket, kernel), (channel, agentd)) = (pair(), pair());
        let own = (77, libc::SYS_getppid);
        let mark = (own.0, u32::try_from(own.1).unwrap());
        // The end of a run before this one, by the same users; then two numbers are missed.
        let domain = format!("domain=5 status=allocated mode=enforcing pid=3 uid={BASE}");
        send(&kernel, super::super::record::LANDLOCK_DOMAIN, 1, &domain);
        filtered(&kernel, 2, (BASE, 9, libc::SYS_bpf));
        filtered(&kernel, 5, (BASE - 1, own.0, own.1));
        let gone = "domain=5 status=deallocated denials=7";
        send(&kernel, super::super::record::LANDLOCK_DOMAIN, 6, gone);
        filtered(&kernel, 7, (BASE + 1, 10, libc::SYS_bpf));
        rustix::net::send(
            &agentd,
            &codec::encode(&ToReader::Flush { number: 1 }),
            SendFlags::NOSIGNAL,
        )
        .unwrap();
        let reader = std::thread::spawn(move || {
            Listening {
                socket,
                channel,
                stream: Stream::new(BASE, 2048, mark),
                waiting: Vec::new(),
                flush: None,
                ready: false,
            }
            .listen()
        });
        assert_eq!(next(&agentd), FromReader::Ready);
        let seen = next(&agentd);
        assert!(
            matches!(
                seen,
                FromReader::Seen {
                    uid: 1,
                    count: 1,
                    ..
                }
            ),
            "{seen:?}"
        );
        filtered(&kernel, 8, (BASE - 1, own.0, own.1));
        assert_eq!(next(&agentd), FromReader::Flushed { number: 1 });
        drop(agentd);
        reader.join().unwrap();
    }
}
