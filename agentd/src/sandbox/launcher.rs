//! Launchers, as agentd holds them before they have an order.
//!
//! A launcher has no order yet, but has been executed and has joined a group of its
//! own: half of what a start takes. A supervisor keeps some ready.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::cgroup::Leaf;
use super::order;
use super::refusal::{At, Refusal};
use super::{enclosure, layer};
use crate::code;

/// Those that stand ready.
static READY: Mutex<Vec<Launcher>> = Mutex::new(Vec::new());
/// How many shall.
static WANTED: AtomicUsize = AtomicUsize::new(0);
/// Held while launchers are started, so that two starts at once do not both make
/// the one that is missing.
static FILLING: Mutex<()> = Mutex::new(());
/// Numbers the groups of launchers; a start renames the group.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A running launcher. Dropped, it ends, and then its group.
#[derive(Debug)]
pub(super) struct Launcher {
    /// Orders go out here, reports come in.
    pub(super) control: OwnedFd,
    /// Its process.
    pub(super) process: Process,
    /// What it, and later the program, writes: output and errors.
    pub(super) outputs: [OwnedFd; 2],
    /// Its group.
    pub(super) leaf: Leaf,
}

/// A child that does not outlive its handle.
#[derive(Debug)]
pub(super) struct Process(pub(super) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both do nothing once it was waited for.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Launcher {
    /// One that stands ready, or a new one.
    pub(super) fn take() -> Result<Self, Refusal> {
        while let Some(mut launcher) = pop() {
            // One may have been killed while it stood there, for want of memory.
            if launcher.lives() {
                refill();
                return Ok(launcher);
            }
        }
        Self::start()
    }

    /// See [`super::Sandbox::keep_ready`].
    pub(super) fn keep_ready(count: usize) {
        WANTED.store(count, Ordering::Relaxed);
        refill();
    }

    fn start() -> Result<Self, Refusal> {
        let failed = || "the launcher could not be started".to_owned();
        let name = format!("launcher-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let leaf = Leaf::create(Path::new(enclosure::GROUPS), &name)?;
        let doors = leaf.doors()?;
        let (control, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .at(&code::SANDBOX_LAUNCHER, failed)?;
        let pipe = || {
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                .at(&code::SANDBOX_LAUNCHER, failed)
        };
        let (output, to_output) = pipe()?;
        let (errors, to_errors) = pipe()?;
        let child = Command::new(enclosure::AGENTD)
            .args(layer::arguments())
            .arg("launch")
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::from(to_output))
            .stderr(Stdio::from(to_errors))
            .spawn()
            .at(&code::SANDBOX_LAUNCHER, failed)?;
        let launcher = Self {
            control,
            process: Process(child),
            outputs: [output, errors],
            leaf,
        };
        order::send_join(launcher.control.as_fd(), &doors)?;
        Ok(launcher)
    }

    fn lives(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(None))
    }
}

/// Starts what is missing, in a thread of its own: the caller has a start to finish.
fn refill() {
    if WANTED.load(Ordering::Relaxed) == 0 {
        return;
    }
    let work = || {
        let _alone = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
        while ready_count() < WANTED.load(Ordering::Relaxed) {
            // One that cannot be made now is made, or refused, when it is needed.
            let Ok(launcher) = Launcher::start() else {
                return;
            };
            READY
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(launcher);
        }
    };
    let _busy = std::thread::Builder::new()
        .name("sandbox-ready".into())
        .stack_size(256 << 10)
        .spawn(work);
}

fn pop() -> Option<Launcher> {
    READY.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn ready_count() -> usize {
    READY.lock().unwrap_or_else(PoisonError::into_inner).len()
}
