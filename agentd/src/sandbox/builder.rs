//! The builder: the process that makes sandboxes, apart from the one that reads what
//! comes out of them.
//!
//! Building takes the rights to mount, to execute and to make processes; Landlock takes
//! the first from whoever it confines. So `agentd serve` is two processes. The
//! *supervisor* speaks with the control daemon and with hostile compartments, and can
//! do nothing but that (confinement.rs). The builder has no dealings with either: it
//! takes orders from the supervisor alone, by the name of a shipped profile, and
//! resolves them itself. A supervisor that was taken over can start such sandboxes
//! over what jobs have, and nothing else.
//!
//! An order is one packet and a socket of its own. Over that socket come the same
//! reports as a launcher's; when the supervisor closes it the sandbox ends, or the
//! directory goes.
//!
//! Each dies with the other: the kernel kills the supervisor with the builder, and the
//! builder ends when the supervisor has. With it ends the first process of the rooms,
//! and so everything in them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use casemate_protocol::codec;
use minicbor::{Decode, Encode};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};
use rustix::process::{Pid, Signal, WaitOptions};

use super::confinement::confine_builder;
use super::enclosure::{AGENTD, JOBS, PACKS, PROGRAMS};
use super::init;
use super::job_directory::JobDirectory;
use super::landlock::Right;
use super::order::{self, How, Report};
use super::refusal::{At, Refusal};
use super::running::{Running, Sandbox};
use super::spec::{Bind, LaunchSpec, Narrowed};
use super::sys::{self, Side};
use super::uids;
use crate::code;

/// Orders that may be under way at once: some hundred jobs.
const MOST: usize = 1024;

/// The way to the builder, in a supervisor; in any other process there is none, and
/// sandboxes are made by the process itself.
static BUILDER: OnceLock<OwnedFd> = OnceLock::new();

/// Which of the two this process has become.
#[derive(Debug)]
pub enum Role {
    /// It has a builder now. With it comes what [`found`] was given to do first.
    Supervisor(Vec<u8>),
    /// It was the builder, and its supervisor has ended like this.
    Builder(How),
}

/// What a supervisor asks for.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Request {
    /// A sandbox. The program's descriptor comes along after the order's socket.
    #[n(0)]
    Launch(#[n(0)] Box<Wanted>),
    /// A job's directory; its handle comes back.
    #[n(1)]
    Directory {
        /// Its name.
        #[n(0)]
        name: String,
        /// Bytes it may hold.
        #[n(1)]
        bytes: u64,
        /// Files it may hold.
        #[n(2)]
        inodes: u64,
    },
    /// This many launchers ready.
    #[n(2)]
    Ready(#[n(0)] u32),
}

/// A [`LaunchSpec`] without its descriptor.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Wanted {
    #[n(0)]
    profile: String,
    #[n(1)]
    name: String,
    #[n(2)]
    uid: u32,
    #[n(3)]
    root: String,
    /// From, to, right.
    #[n(4)]
    binds: Vec<(String, String, Right)>,
    #[n(5)]
    argv: Vec<String>,
    #[n(6)]
    environment: Vec<(String, String)>,
    #[n(7)]
    passed: bool,
    /// As the fields of [`Narrowed`].
    #[n(8)]
    limits: [Option<u64>; 6],
    #[n(9)]
    egress: bool,
}

/// What the builder says at the very end; the end of the output follows it.
#[derive(Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Account {
    #[n(0)]
    pub(super) memory_peak: u64,
    #[n(1)]
    pub(super) memory_kills: u64,
    #[n(2)]
    pub(super) pids_peak: u64,
    #[n(3)]
    pub(super) pids_refused: u64,
    #[n(4)]
    pub(super) disk_written: u64,
    /// Whether it is proven that nothing of the sandbox is left.
    #[n(5)]
    pub(super) gone: bool,
}

/// Makes this process two: the caller returns in both. Before anything that makes a
/// thread.
///
/// The builder does `first`, tells the supervisor what came of it, and then builds
/// until the supervisor has ended.
///
/// # Errors
/// [`Refusal`] if there are not two, or whatever `first` came to.
pub fn found<E: From<Refusal>>(first: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Role, E> {
    let failed = || "the builder of sandboxes could not be set up".to_owned();
    let (ours, theirs) = pair()?;
    match sys::clone_process(0).at(&code::SANDBOX_LAUNCHER, failed)? {
        Side::Child => {
            drop(ours);
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                .at(&code::SANDBOX_LAUNCHER, failed)?;
            // One packet says that the builder had not died before that; none, that it
            // ended and has said why.
            let (told, _) = order::receive_packet(theirs.as_fd())?;
            let Some((_, told)) = told.split_first() else {
                return Ok(Role::Builder(How::Exited(0)));
            };
            BUILDER
                .set(theirs)
                .map_err(|_| "there is one already")
                .at(&code::SANDBOX_LAUNCHER, failed)?;
            Ok(Role::Supervisor(told.to_vec()))
        }
        Side::Parent(supervisor) => {
            drop(theirs);
            let done = first()?;
            confine_builder()?;
            let told = [&[1], done.as_slice()].concat();
            order::send_packet(ours.as_fd(), &told, &[])?;
            build(&ours);
            Ok(Role::Builder(end_of(supervisor)))
        }
    }
}

fn pair() -> Result<(OwnedFd, OwnedFd), Refusal> {
    rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .at(&code::SANDBOX_LAUNCHER, || {
        "no socket to the builder".to_owned()
    })
}

/// Waits for the supervisor, whose end of the socket is closed.
fn end_of(supervisor: Pid) -> How {
    loop {
        match rustix::process::waitpid(Some(supervisor), WaitOptions::empty()) {
            Ok(Some((_, status))) => return init::how(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return How::Killed,
        }
    }
}

/// Takes orders until there is nobody to give any; one thread an order.
fn build(orders: &OwnedFd) {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    loop {
        let (bytes, mut fds) = match order::receive_packet(orders.as_fd()) {
            Ok((bytes, fds)) if !bytes.is_empty() => (bytes, fds.into_iter()),
            _ => return,
        };
        // Without a socket to answer on there is nobody to answer.
        let Some(ticket) = fds.next() else { continue };
        let passed = fds.next();
        let request: Request = match codec::decode_canonical(&bytes) {
            Ok(request) => request,
            Err(e) => {
                refuse(&ticket, &e);
                continue;
            }
        };
        if UNDER_WAY.fetch_add(1, Ordering::AcqRel) >= MOST {
            UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
            refuse(&ticket, &"too many orders are under way");
            continue;
        }
        let work = move || {
            request.carry_out(&ticket, passed);
            drop(ticket);
            UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
        };
        let started = std::thread::Builder::new()
            .name("order".into())
            .stack_size(256 << 10)
            .spawn(work);
        if started.is_err() {
            // The order went with the thread, and its socket with it.
            UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn refuse(ticket: &OwnedFd, why: &dyn std::fmt::Display) {
    let what = "the builder did not do what it was asked";
    order::report_refusal(ticket, &Refusal::new(&code::SANDBOX_ORDER, what, why));
}

impl Request {
    fn carry_out(self, ticket: &OwnedFd, passed: Option<OwnedFd>) {
        match self {
            Self::Launch(wanted) => {
                let uid = wanted.uid;
                let mut account = Account::default();
                let mut tail = Vec::new();
                match wanted.spec(passed).and_then(Sandbox::spawn_here) {
                    Ok(running) => (account, tail) = see_through(&running, ticket),
                    Err(refusal) => order::report_refusal(ticket, &refusal),
                }
                account.gone = uids::all_free(uid..uid.saturating_add(1));
                let _closed = order::send_packet(ticket.as_fd(), &codec::encode(&account), &[]);
                let _closed = order::send_packet(ticket.as_fd(), &tail, &[]);
            }
            Self::Directory {
                name,
                bytes,
                inodes,
            } => match JobDirectory::create_here(&name, bytes, inodes) {
                Ok(directory) => {
                    if let Ok(handle) = directory.handle().try_clone_to_owned() {
                        order::report_started(ticket.as_fd(), Some(handle));
                        await_hang_up(ticket);
                    }
                }
                Err(refusal) => order::report_refusal(ticket, &refusal),
            },
            Self::Ready(count) => {
                Sandbox::keep_ready(usize::try_from(count).unwrap_or(0).min(MOST));
                order::report_started(ticket.as_fd(), None);
            }
        }
    }
}

/// From start to end of a sandbox, or until the supervisor hangs up.
fn see_through(running: &Running, ticket: &OwnedFd) -> (Account, Vec<u8>) {
    order::report_started(ticket.as_fd(), running.take_listening());
    running.await_end_or(ticket);
    let ending = running.wait();
    order::report(
        ticket,
        &Report::Ended {
            how: ending.how,
            user_us: u64::try_from(ending.user.as_micros()).unwrap_or(u64::MAX),
            system_us: u64::try_from(ending.system.as_micros()).unwrap_or(u64::MAX),
        },
    );
    let account = Account {
        memory_peak: ending.memory_peak,
        memory_kills: ending.memory_kills,
        pids_peak: ending.pids_peak,
        pids_refused: ending.pids_refused,
        disk_written: ending.disk_written,
        gone: false,
    };
    (account, running.output_tail())
}

fn await_hang_up(ticket: &OwnedFd) {
    use rustix::event::{PollFd, PollFlags};
    let mut one = [PollFd::new(ticket, PollFlags::RDHUP)];
    while matches!(
        rustix::event::poll(&mut one, None),
        Err(rustix::io::Errno::INTR)
    ) {}
}

impl Wanted {
    fn of(spec: &LaunchSpec) -> Self {
        let limits = spec.limits;
        Self {
            profile: spec.profile.clone(),
            name: spec.name.clone(),
            uid: spec.uid,
            root: spec.root.clone(),
            binds: spec
                .binds
                .iter()
                .map(|bind| (bind.from.clone(), bind.at.clone(), bind.right))
                .collect(),
            argv: spec.argv.clone(),
            environment: spec.environment.clone(),
            passed: spec.passed.is_some(),
            limits: [
                limits.memory_bytes,
                limits.pids,
                limits.cpu_percent,
                limits.io_bytes,
                limits.open_files,
                limits.file_bytes,
            ],
            egress: spec.egress,
        }
    }

    /// What is asked for, as far as a supervisor may ask for it: the packs as roots,
    /// and of agentd's tree what jobs have, the packs and the programs for sandboxes.
    fn spec(self, passed: Option<OwnedFd>) -> Result<LaunchSpec, Refusal> {
        let refuse = |why: String| {
            let what = format!("the sandbox {} was not made", self.name);
            Err(Refusal::new(&code::SANDBOX_ORDER, what, why))
        };
        if self.passed != passed.is_some() {
            return refuse("its descriptor did not come along".to_owned());
        }
        if !below(&self.root, PACKS) {
            return refuse(format!("{} is no pack", self.root));
        }
        for (from, _, right) in &self.binds {
            let job = below(from, JOBS);
            let ours = below(from, PACKS) || below(from, PROGRAMS) || from == AGENTD;
            if !(job || ours && *right != Right::Write) {
                return refuse(format!("{from} is not for sandboxes"));
            }
        }
        let [
            memory_bytes,
            pids,
            cpu_percent,
            io_bytes,
            open_files,
            file_bytes,
        ] = self.limits;
        Ok(LaunchSpec {
            profile: self.profile,
            name: self.name,
            uid: self.uid,
            root: self.root,
            binds: self
                .binds
                .into_iter()
                .map(|(from, at, right)| Bind { from, at, right })
                .collect(),
            argv: self.argv,
            environment: self.environment,
            passed,
            egress: self.egress,
            limits: Narrowed {
                memory_bytes,
                pids,
                cpu_percent,
                io_bytes,
                open_files,
                file_bytes,
            },
        })
    }
}

/// Whether a path leads to something below `place`, and nowhere else.
fn below(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|rest| !rest.split('/').any(|part| matches!(part, "" | "." | "..")))
}

/// Orders something; the answer comes over the socket. `None` without a builder.
fn ask(request: &Request, passed: Option<BorrowedFd<'_>>) -> Option<Result<OwnedFd, Refusal>> {
    let builder = BUILDER.get()?;
    let asked = || {
        let (ours, theirs) = pair()?;
        let fds: Vec<_> = [theirs.as_fd()].into_iter().chain(passed).collect();
        order::send_packet(builder.as_fd(), &codec::encode(request), &fds)?;
        Ok(ours)
    };
    Some(asked())
}

/// Orders a sandbox.
pub(super) fn launch(spec: &LaunchSpec) -> Option<Result<OwnedFd, Refusal>> {
    let passed = spec.passed.as_ref().map(AsFd::as_fd);
    ask(&Request::Launch(Box::new(Wanted::of(spec))), passed)
}

/// Orders launchers that stand ready; a builder that does not answer has ended.
pub(super) fn keep_ready(count: usize) -> bool {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    ask(&Request::Ready(count), None).is_some()
}

/// Orders a directory: the socket that holds it, and its handle.
pub(super) fn directory(
    name: &str,
    bytes: u64,
    inodes: u64,
) -> Option<Result<(OwnedFd, OwnedFd), Refusal>> {
    let name = name.to_owned();
    let asked = ask(
        &Request::Directory {
            name,
            bytes,
            inodes,
        },
        None,
    )?;
    let answered = |ticket: OwnedFd| {
        let (told, mut fds) = order::receive_packet(ticket.as_fd())?;
        match (codec::decode_canonical(&told), fds.pop()) {
            (Ok(Report::Started), Some(handle)) => Ok((ticket, handle)),
            (Ok(Report::Refused { code, what, why }), _) => {
                Err(Refusal::reported(&code, what, why))
            }
            _ => Err(Refusal::new(
                &code::SANDBOX_REPORT,
                "a job's directory was not made",
                "the builder's answer is malformed",
            )),
        }
    };
    Some(asked.and_then(answered))
}

/// Gives back what a socket holds, and returns when it is gone.
pub(super) fn give_back(ticket: &OwnedFd) {
    let _gone = rustix::net::shutdown(ticket, Shutdown::Write);
    let _late = rustix::net::sockopt::set_socket_timeout(
        ticket,
        rustix::net::sockopt::Timeout::Recv,
        Some(Duration::from_secs(30)),
    );
    while matches!(order::receive_packet(ticket.as_fd()), Ok((told, _)) if !told.is_empty()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            profile: "desktop".into(),
            name: "one".into(),
            uid: 1001,
            root: "/packs/desktop".into(),
            binds: vec![
                ("/agentd".into(), "/agent/agentd".into(), Right::Execute),
                ("/jobs/1/work".into(), "/workspace".into(), Right::Write),
                ("/packs/ocr".into(), "/models".into(), Right::Read),
            ],
            argv: vec!["/agent/agentd".into()],
            environment: vec![("A".into(), "B".into())],
            passed: false,
            limits: [Some(1), None, None, None, None, Some(6)],
            egress: false,
        }
    }

    #[test]
    fn an_order_comes_over_as_it_was_meant() {
        let spec = wanted().spec(None).unwrap();
        assert_eq!(Wanted::of(&spec), wanted());
        let request = Request::Launch(Box::new(wanted()));
        let bytes = codec::encode(&request);
        assert_eq!(codec::decode_canonical::<Request>(&bytes).unwrap(), request);
    }

    /// What a supervisor that was taken over would ask for.
    #[test]
    fn nothing_of_agentds_own_is_given_into_a_sandbox() {
        let refused = |change: &dyn Fn(&mut Wanted)| {
            let mut wanted = wanted();
            change(&mut wanted);
            wanted.spec(None).unwrap_err().code.id
        };
        for root in [
            "/",
            "/packs",
            "/packs/",
            "/packs/..",
            "/packs/../proc",
            "/proc",
            "",
        ] {
            assert_eq!(
                refused(&|w| w.root = root.into()),
                "sandbox.order",
                "{root}"
            );
        }
        for from in [
            "/",
            "/proc",
            "/proc/1",
            "/group/memory",
            "/dev",
            "/stage",
            "/disks",
            "/jobs",
            "/jobs/../group",
            "/jobs/./1",
            "/jobs//1",
            "/jobsx/1",
            "/usr/lib",
        ] {
            for right in [Right::Read, Right::Write] {
                let bind = (from.to_owned(), "/workspace".to_owned(), right);
                assert_eq!(
                    refused(&|w| w.binds.push(bind.clone())),
                    "sandbox.order",
                    "{from}"
                );
            }
        }
        for from in ["/packs/desktop", "/agent/agent-script", "/agentd"] {
            let bind = (from.to_owned(), "/workspace".to_owned(), Right::Write);
            assert_eq!(
                refused(&|w| w.binds.push(bind.clone())),
                "sandbox.order",
                "{from}"
            );
        }
        assert_eq!(refused(&|w| w.passed = true), "sandbox.order");
    }
}
