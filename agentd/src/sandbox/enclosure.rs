//! agentd's own rooms: what it sees and may do before any sandbox exists.
//!
//! `agentd enter` runs as root on the host, makes these rooms and executes
//! `agentd serve` in them. There agentd is uid 0 of a user namespace that maps
//! only the jobs' range; its tree holds itself, the programs for the sandboxes,
//! the packs and an empty place for jobs; it has no network and sees no process
//! but its own. PID 1 of its pid namespace is this module: when agentd dies, or
//! `agentd enter` does, the kernel ends every process of every sandbox.
//!
//! Where the site grants egress, a connector stands beside the rooms: beside.rs.
//!
//! The host's C library is the one part of the host's tree that stays visible,
//! because agentd is linked to it.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal};
use rustix::process::{Gid, Pid, Signal, Uid, WaitOptions};

use super::beside;
use super::cgroup::{self, Parent};
use super::init;
use super::layer::{self, Layer};
use super::order::How;
use super::refusal::{At, Refusal};
use super::sys::{self, Side};
use super::tree::Tree;
use crate::code;
use crate::denial::start::CHANNEL;
use crate::egress::{resolver, site};
use crate::pack::MountedPack;

/// This program, for launchers.
pub const AGENTD: &str = "/agentd";
/// The programs that run in sandboxes.
pub const PROGRAMS: &str = "/agent";
/// The mounted packs, one directory a pack, by name.
pub const PACKS: &str = "/packs";
/// Where job directories are made.
pub const JOBS: &str = "/jobs";
/// Where a sandbox's root hangs while it is built.
pub(crate) const STAGE: &str = "/stage";
/// Agentd's control groups: one directory, or one a controller.
pub(crate) const GROUPS: &str = "/group";
/// The disks that limits of traffic are for.
pub(crate) const DISKS: &str = "/disks";
/// The number of the descriptor that is passed to the inner program.
pub const PASSED: i32 = super::descriptors::PASSED;
/// The number of the way to the connector, in the inner program.
pub const CONNECTOR: i32 = PASSED + 2;

/// What `agentd enter` brings along.
#[derive(Debug)]
pub struct Enclosure {
    /// Verified packs, attached nowhere yet.
    pub packs: Vec<MountedPack>,
    /// Directory of the programs for sandboxes; it is at [`PROGRAMS`].
    pub programs: Option<PathBuf>,
    /// What else of the host is brought along, for operators' commands and tests.
    pub extra: Vec<Extra>,
    /// First host uid and gid of the range that is agentd's.
    pub uid_base: u32,
    /// How many.
    pub uid_count: u32,
    /// Descriptor for the inner program, as number [`PASSED`].
    pub passed: Option<OwnedFd>,
    /// Arguments of the inner agentd.
    pub arguments: Vec<String>,
    /// The site's egress file, already checked. With it there is a connector, which the
    /// inner program has as number [`CONNECTOR`], and the rooms have one id less.
    pub egress: Option<Vec<u8>>,
}

/// What else is in agentd's tree.
#[derive(Debug)]
pub struct Extra {
    what: Brought,
    at: String,
}

#[derive(Debug)]
enum Brought {
    Bind { from: PathBuf, writable: bool },
    Mount(OwnedFd),
    Link(PathBuf),
}

impl Extra {
    /// Brings `from` along at `at`, to be read and executed.
    pub fn read_only(from: PathBuf, at: String) -> Self {
        let writable = false;
        Self {
            what: Brought::Bind { from, writable },
            at,
        }
    }

    /// Brings `from` along at `at`, to be written and not executed.
    pub fn writable(from: PathBuf, at: String) -> Self {
        let writable = true;
        Self {
            what: Brought::Bind { from, writable },
            at,
        }
    }

    /// Brings a mount along that is attached nowhere yet.
    pub fn mount(mount: OwnedFd, at: String) -> Self {
        Self {
            what: Brought::Mount(mount),
            at,
        }
    }

    /// Makes a symbolic link to `target` at `at`, in a mount brought along before.
    pub fn link(target: PathBuf, at: String) -> Self {
        Self {
            what: Brought::Link(target),
            at,
        }
    }
}

impl Enclosure {
    /// Makes the rooms, runs the inner agentd in them, and says how it ended.
    ///
    /// SIGTERM, SIGINT and SIGHUP are passed on to it. Returns in two processes: in
    /// the caller, and in the rooms' first process, which has to end with what it got.
    ///
    /// # Errors
    /// [`Refusal`] if the rooms could not be made; nothing is left then.
    pub fn run(self) -> Result<How, Refusal> {
        self.run_watched(None)
    }

    /// The same with one more descriptor for the inner program, as number
    /// [`crate::denial::start::CHANNEL`]: where it hears of denials.
    ///
    /// # Errors
    /// See [`Enclosure::run`].
    pub fn run_watched(mut self, denials: Option<OwnedFd>) -> Result<How, Refusal> {
        let failed = || "agentd's rooms could not be made".to_owned();
        if self.uid_base == 0
            || self.uid_count < 2
            || self.uid_base.checked_add(self.uid_count).is_none()
        {
            return Err(Refusal::new(
                &code::SANDBOX_IDENTITY,
                failed(),
                "the uid range is not one",
            ));
        }
        let groups = Parent::create(self.uid_base)?;
        let tree = self.gather(&groups)?;
        let (ours, theirs) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .at(&code::SANDBOX_DESCRIPTORS, failed)?;
        // Blocked in all three processes, which take them one by one by sigwait;
        // the inner agentd gets them back before it executes.
        watched()
            .thread_block()
            .at(&code::SANDBOX_NAMESPACE, failed)?;
        let flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID;
        match sys::clone_process(flags).at(&code::SANDBOX_NAMESPACE, failed)? {
            Side::Child => {
                drop(ours);
                self.become_root_of_rooms(tree, &groups, &theirs, denials)
            }
            Side::Parent(inner) => {
                drop(theirs);
                drop(tree);
                let how = oversee(inner, &ours, self.uid_base, self.mapped());
                // Its processes are gone, and so the groups go.
                drop(groups);
                how
            }
        }
    }

    /// Takes hold of everything by descriptor while the host's tree is there.
    fn gather(&mut self, groups: &Parent) -> Result<Tree, Refusal> {
        let mut tree = Tree::new(self.uid_base)?;
        let this = std::env::current_exe()
            .and_then(fs::canonicalize)
            .at(&code::SANDBOX_MOUNT, || {
                "this program's own file was not found".to_owned()
            })?;
        tree.bind(&this, AGENTD)?;
        if let Some(programs) = &self.programs {
            tree.bind(programs, PROGRAMS)?;
        }
        for Extra { what, at } in self.extra.drain(..) {
            match what {
                Brought::Bind { from, writable } if writable => tree.bind_writable(&from, &at)?,
                Brought::Bind { from, .. } => tree.bind(&from, &at)?,
                Brought::Mount(mount) => tree.mount(mount, &at)?,
                Brought::Link(target) => tree.link(&at, target),
            }
        }
        for pack in self.packs.drain(..) {
            let place = format!("{PACKS}/{}", pack.manifest.name);
            tree.mount(pack.mount, &place)?;
            tree.file(&format!("{place}.pack"), pack.bytes);
        }
        for (name, directory) in groups.directories() {
            tree.bind_writable(directory, &format!("{GROUPS}/{name}"))?;
        }
        tree.file(DISKS, cgroup::disks()?);
        if let Some(file) = &self.egress {
            tree.file(site::PLACE, file.clone());
            for (at, bytes) in resolver::files() {
                tree.file(at, bytes);
            }
        }
        // The C library and its loader, at the places the loader looks in.
        let libraries = Path::new("/usr/lib/x86_64-linux-gnu");
        let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
        if libraries.is_dir() {
            tree.bind(libraries, "/usr/lib/x86_64-linux-gnu")?;
        }
        if let Ok(loader) = fs::canonicalize(loader) {
            tree.bind(&loader, "/lib64/ld-linux-x86-64.so.2")?;
        }
        Ok(tree)
    }

    /// The inner side. Numbered, because the order is what makes it hold.
    fn become_root_of_rooms(
        self,
        tree: Tree,
        groups: &Parent,
        outer: &OwnedFd,
        denials: Option<OwnedFd>,
    ) -> Result<How, Refusal> {
        let failed = || "agentd's rooms could not be made".to_owned();
        // 0. While the host's control groups can be named.
        groups.join_own()?;
        // 1. While still the host's root, in the new pid namespace: memory files
        //    cannot be executed by anything below. A mapped root may not write it.
        if Layer::MemoryFiles.stands() {
            fs::write("/proc/sys/vm/memfd_noexec", "2").at(&code::SANDBOX_KERNEL, || {
                "executable memory files could not be forbidden".to_owned()
            })?;
        }
        // 2. The tree, with a /proc of the new pid namespace. Before the user
        //    namespace: the kernel lets only the owner of a mount namespace pivot
        //    freely, and sandboxes may only mount a /proc if a full one is there.
        tree.enter()?;
        //    And what stands beside, while there is a host's network to be in.
        let last = self.uid_base.saturating_add(self.mapped());
        let connector = match self.egress {
            Some(_) => Some(beside::start_connector(last)?),
            None => None,
        };
        // 3. The other namespaces. The mount namespace is copied once more so that
        //    it belongs to the user namespace, with all mounts so far locked.
        nix::sched::unshare(
            CloneFlags::CLONE_NEWUSER
                | CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWCGROUP,
        )
        .at(&code::SANDBOX_NAMESPACE, failed)?;
        turn(outer)?;
        // 4. The outer side has written the maps.
        rustix::thread::set_thread_groups(&[]).at(&code::SANDBOX_IDENTITY, failed)?;
        let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
        rustix::thread::set_thread_res_gid(gid, gid, gid).at(&code::SANDBOX_IDENTITY, failed)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).at(&code::SANDBOX_IDENTITY, failed)?;
        rustix::thread::set_no_new_privs(true).at(&code::SANDBOX_PRIVILEGE, failed)?;
        // 5. Die with the outer side, and know that it had not died before.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .at(&code::SANDBOX_NAMESPACE, failed)?;
        turn(outer)?;
        match sys::clone_process(0).at(&code::SANDBOX_NAMESPACE, failed)? {
            Side::Child => Err(self.execute(connector, denials)),
            Side::Parent(agentd) => Ok(attend(agentd)),
        }
    }

    /// How many ids the rooms have: where there is a connector, the last is its own.
    pub fn mapped(&self) -> u32 {
        self.uid_count
            .saturating_sub(u32::from(self.egress.is_some()))
    }

    /// Becomes the inner agentd; returns only if that failed.
    fn execute(self, connector: Option<OwnedFd>, denials: Option<OwnedFd>) -> Refusal {
        let run = || -> Result<(), Refusal> {
            let failed = || "the inner agentd could not be started".to_owned();
            // Out of the way of the numbers that are given.
            let away = |fd: Option<OwnedFd>| {
                fd.map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, CHANNEL + 1))
                    .transpose()
                    .at(&code::SANDBOX_DESCRIPTORS, failed)
            };
            let (connector, denials) = (away(connector)?, away(denials)?);
            super::descriptors::hand_over(self.passed.as_ref().map(AsFd::as_fd))?;
            let given = [(connector, CONNECTOR), (denials, CHANNEL)];
            for (fd, number) in &given {
                let Some(fd) = fd else { continue };
                sys::place_for_exec(fd.as_fd(), *number).at(&code::SANDBOX_DESCRIPTORS, failed)?;
            }
            nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
                .at(&code::SANDBOX_NAMESPACE, failed)?;
            sys::default_signals().at(&code::SANDBOX_NAMESPACE, failed)?;
            let program = CString::new(AGENTD).at(&code::SANDBOX_ORDER, failed)?;
            let mut argv = vec![program.clone()];
            for argument in layer::arguments().iter().chain(&self.arguments) {
                argv.push(CString::new(argument.as_str()).at(&code::SANDBOX_ORDER, failed)?);
            }
            let environment: [&CStr; 0] = [];
            match nix::unistd::execve(&program, &argv, &environment) {
                Ok(never) => match never {},
                Err(e) => Err(Refusal::new(&code::SANDBOX_EXEC, failed(), e)),
            }
        };
        match run() {
            Err(refusal) => refusal,
            Ok(()) => Refusal::new(&code::SANDBOX_EXEC, "the inner agentd", "did not start"),
        }
    }
}

/// One handshake: tell the other side, wait for it to tell us.
pub(super) fn turn(socket: &OwnedFd) -> Result<(), Refusal> {
    let failed = || "the other side of the enclosure is gone".to_owned();
    rustix::io::write(socket, b".").at(&code::SANDBOX_NAMESPACE, failed)?;
    let mut byte = [0; 1];
    match rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut byte)) {
        Ok(1) => Ok(()),
        Ok(_) => Err(Refusal::new(
            &code::SANDBOX_NAMESPACE,
            failed(),
            "it closed",
        )),
        Err(e) => Err(Refusal::new(&code::SANDBOX_NAMESPACE, failed(), e)),
    }
}

/// [`await_turn`], demanded.
pub(super) fn await_side(socket: &OwnedFd) -> Result<(), Refusal> {
    if await_turn(socket) {
        return Ok(());
    }
    let what = "the other side of the enclosure is gone";
    Err(Refusal::new(&code::SANDBOX_NAMESPACE, what, "it closed"))
}

/// Waits for the other side's half of a [`turn`].
fn await_turn(socket: &OwnedFd) -> bool {
    let mut byte = [0; 1];
    matches!(
        rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut byte)),
        Ok(1)
    )
}

/// The outer side: maps the range, then waits, passing signals on.
fn oversee(inner: Pid, socket: &OwnedFd, base: u32, count: u32) -> Result<How, Refusal> {
    let failed = || "the uid range could not be given to agentd".to_owned();
    let line = format!("0 {base} {count}\n");
    let of = |file: &str| format!("/proc/{}/{file}", inner.as_raw_nonzero());
    if await_turn(socket) {
        let mapped = fs::write(of("uid_map"), &line).and_then(|()| fs::write(of("gid_map"), &line));
        if let Err(e) = mapped {
            let _gone = rustix::process::kill_process(inner, Signal::KILL);
            attend(inner);
            return Err(Refusal::new(&code::SANDBOX_IDENTITY, failed(), e));
        }
        let _told = rustix::io::write(socket, b".");
        if await_turn(socket) {
            let _told = rustix::io::write(socket, b".");
        }
    }
    // If a turn failed, the inner side is ending and has said why on its error
    // output.
    Ok(attend(inner))
}

fn watched() -> SigSet {
    [
        NixSignal::SIGTERM,
        NixSignal::SIGINT,
        NixSignal::SIGHUP,
        NixSignal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

/// Waits until `child` has ended, reaping all others and passing signals on.
fn attend(child: Pid) -> How {
    loop {
        match watched().wait() {
            Ok(NixSignal::SIGCHLD) => loop {
                match rustix::process::wait(WaitOptions::NOHANG) {
                    Ok(Some((pid, status))) if pid == child => return init::how(status),
                    Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                    Ok(None) => break,
                    Err(_) => return How::Killed,
                }
            },
            Ok(signal) => {
                if let Some(signal) = Signal::from_named_raw(signal as i32) {
                    let _gone = rustix::process::kill_process(child, signal);
                }
            }
            Err(_) => {}
        }
    }
}
