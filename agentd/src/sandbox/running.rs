//! A running sandbox, as agentd holds it.

use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use casemate_protocol::codec;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::Shutdown;

use super::builder::{self, Account};
use super::cgroup::{Leaf, Usage};
use super::enclosure;
use super::launcher::{Launcher, Process};
use super::order::{self, How, Report};
use super::output::Output;
use super::profile::Profile;
use super::refusal::{At, Refusal};
use super::spec::LaunchSpec;
use super::uids::Identity;
use crate::code;

/// How long a launcher may take from order to report, on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long an ended sandbox may take to be gone before its launcher is killed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// The way to start one.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a program under every layer of its profile. When this returns, the
    /// program has been executed.
    ///
    /// Only works in agentd's own rooms (see [`enclosure`]). Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was started, nothing is left.
    pub fn spawn(spec: LaunchSpec) -> Result<Running, Refusal> {
        let Some(asked) = builder::launch(&spec) else {
            return Self::spawn_here(spec);
        };
        let running = Running {
            control: asked?,
            output: Arc::new(Output::kept()),
            reported: Mutex::new(None),
            ended: Mutex::new(None),
            held: Mutex::new(Some(Held::Builders(Identity::take(spec.uid)?))),
            listening: Mutex::new(None),
        };
        drop(spec);
        running.await_start()?;
        Ok(running)
    }

    /// The same, by this process itself.
    pub(super) fn spawn_here(spec: LaunchSpec) -> Result<Running, Refusal> {
        let profile = Profile::shipped(&spec.profile)?;
        Self::spawn_as(spec, profile, "/", Output::kept())
    }

    /// The same under a profile that was made narrower, starting in `directory`
    /// (inside), with its output as said.
    ///
    /// # Errors
    /// See [`Sandbox::spawn`].
    pub fn spawn_as(
        spec: LaunchSpec,
        profile: &Profile,
        directory: &str,
        output: Output,
    ) -> Result<Running, Refusal> {
        let (order, limits) = spec.resolve(profile, directory)?;
        let mut launcher = Launcher::take()?;
        launcher.leaf.settle(&spec.name, limits, disks()?)?;
        let identity = Identity::take(spec.uid)?;
        // From here on dropping `running` ends whatever there is.
        let running = Running::new(launcher, identity, output)?;
        let passed = spec.passed.as_ref().map(AsFd::as_fd);
        order::send(running.control.as_fd(), &order, passed)?;
        // The program's is then the only copy: its end shows as end of stream.
        drop(spec);
        running.await_start()?;
        Ok(running)
    }

    /// Keeps `count` launchers ready from now on, so that a start does not wait for
    /// a program to be executed and to join its group. For a program that starts
    /// many; each ready one costs a small idle process.
    pub fn keep_ready(count: usize) {
        if !builder::keep_ready(count) {
            Launcher::keep_ready(count);
        }
    }
}

/// How a sandbox ended and what it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How its program ended.
    pub how: How,
    /// Processor time in its own code.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// Most memory held at once, in bytes.
    pub memory_peak: u64,
    /// Processes the kernel killed because the memory limit was reached.
    pub memory_kills: u64,
    /// Most processes and threads at once, the launcher and init among them.
    pub pids_peak: u64,
    /// Processes and threads that were not made because the limit was reached.
    pub pids_refused: u64,
    /// Bytes written to disks.
    pub disk_written: u64,
}

/// The disks that limits of traffic are for, as the outer side saw them.
fn disks() -> Result<&'static str, Refusal> {
    static READ: OnceLock<Result<String, String>> = OnceLock::new();
    READ.get_or_init(|| std::fs::read_to_string(enclosure::DISKS).map_err(|e| e.to_string()))
        .as_deref()
        .at(&code::SANDBOX_CGROUP, || {
            "the disks to limit are not known".to_owned()
        })
}

/// A started sandbox. All methods take `&self` and may be called from several
/// threads, so one can wait while another ends it.
///
/// Dropped, it ends the sandbox and returns when every process of it is gone.
#[derive(Debug)]
pub struct Running {
    control: OwnedFd,
    output: Arc<Output>,
    reported: Mutex<Option<(How, Duration, Duration)>>,
    ended: Mutex<Option<Ending>>,
    held: Mutex<Option<Held>>,
    listening: Mutex<Option<OwnedFd>>,
}

/// What stands behind a handle.
#[derive(Debug)]
enum Held {
    /// A launcher of this process's own, and the thread that reads its outputs.
    Own {
        process: Process,
        drain: JoinHandle<()>,
        leaf: Leaf,
        identity: Identity,
    },
    /// The builder, see builder.rs.
    Builders(Identity),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    fn new(launcher: Launcher, identity: Identity, output: Output) -> Result<Self, Refusal> {
        let Launcher {
            control,
            process,
            outputs,
            leaf,
        } = launcher;
        let output = Arc::new(output);
        let drained = Arc::clone(&output);
        let drain = std::thread::Builder::new()
            .name("sandbox-output".into())
            .stack_size(128 << 10)
            .spawn(move || drained.drain(outputs))
            .at(&code::SANDBOX_LAUNCHER, || {
                "no thread for its output".to_owned()
            })?;
        let held = Held::Own {
            process,
            drain,
            leaf,
            identity,
        };
        Ok(Self {
            control,
            output,
            reported: Mutex::new(None),
            ended: Mutex::new(None),
            held: Mutex::new(Some(held)),
            listening: Mutex::new(None),
        })
    }

    fn await_start(&self) -> Result<(), Refusal> {
        let failed = || "the sandbox was not started".to_owned();
        match self.next_report(Some(Instant::now() + START_LIMIT)) {
            Next::Report(Report::Started) => Ok(()),
            Next::Report(Report::Refused { code, what, why }) => {
                Err(Refusal::reported(&code, what, why))
            }
            Next::Report(Report::Ended { .. }) | Next::Malformed => Err(Refusal::new(
                &code::SANDBOX_REPORT,
                failed(),
                "its report is malformed",
            )),
            Next::Closed => {
                let why = "its launcher or init was killed";
                Err(Refusal::new(&code::SANDBOX_LAUNCHER, failed(), why))
            }
            Next::Late => {
                let why = format!("no report within {} s", START_LIMIT.as_secs());
                Err(Refusal::new(&code::SANDBOX_LAUNCHER, failed(), why))
            }
        }
    }

    /// Waits until the program has ended and every process of the sandbox is gone.
    pub fn wait(&self) -> Ending {
        loop {
            if let Some(ending) = self.wait_until(Instant::now() + Duration::from_secs(3600)) {
                return ending;
            }
        }
    }

    /// Like [`Running::wait`], but returns `None` when `deadline` passes first.
    pub fn wait_until(&self, deadline: Instant) -> Option<Ending> {
        let mut ended = lock(&self.ended);
        if ended.is_none() {
            let (how, user, system) = self.reported(deadline)?;
            *ended = Some(self.finish(how, user, system));
        }
        *ended
    }

    /// How its program ended, as soon as that is known; what else was in the sandbox
    /// may not be gone yet.
    pub(crate) fn how_until(&self, deadline: Instant) -> Option<How> {
        self.reported(deadline).map(|(how, _, _)| how)
    }

    fn reported(&self, deadline: Instant) -> Option<(How, Duration, Duration)> {
        let mut reported = lock(&self.reported);
        if reported.is_none() {
            *reported = match self.next_report(Some(deadline)) {
                Next::Late => None,
                Next::Report(Report::Ended {
                    how,
                    user_us,
                    system_us,
                }) => Some((
                    how,
                    Duration::from_micros(user_us),
                    Duration::from_micros(system_us),
                )),
                // Killed before it could report, or a report that makes no sense.
                _ => Some((How::Killed, Duration::ZERO, Duration::ZERO)),
            };
        }
        *reported
    }

    /// Ends the sandbox. Returns at once; [`Running::wait`] waits for it.
    pub fn kill(&self) {
        // The launcher sees its end close, kills init and waits for the namespace.
        let _gone = rustix::net::shutdown(&self.control, Shutdown::Write);
    }

    /// The end of what the sandbox wrote to its standard outputs, at most 64 KiB:
    /// text of a hostile program, for a person's eyes, control characters and all.
    pub fn output_tail(&self) -> Vec<u8> {
        self.output.tail()
    }

    /// The socket on which this sandbox's proxy is to listen, once, if it has one.
    pub fn take_listening(&self) -> Option<OwnedFd> {
        lock(&self.listening).take()
    }

    /// Whether the kernel holds this sandbox's group to the limits of its profile, and
    /// why not. Of a sandbox that this process started itself.
    pub(crate) fn limits_stand(&self) -> Result<(), String> {
        match &*lock(&self.held) {
            Some(Held::Own { leaf, .. }) => leaf.stands(),
            _ => Err("its group is not known".to_owned()),
        }
    }

    /// Returns when its program has ended; ends it once the other end of `ticket` is
    /// closed.
    pub(super) fn await_end_or(&self, ticket: &OwnedFd) {
        let mut both = [
            PollFd::new(&self.control, PollFlags::IN),
            PollFd::new(ticket, PollFlags::RDHUP),
        ];
        while matches!(
            rustix::event::poll(&mut both, None),
            Err(rustix::io::Errno::INTR)
        ) {}
        let [_, hung_up] = both;
        if !hung_up.revents().is_empty() {
            self.kill();
        }
    }

    fn finish(&self, how: How, user: Duration, system: Duration) -> Ending {
        self.kill();
        let usage = match lock(&self.held).take() {
            Some(Held::Own {
                process,
                drain,
                leaf,
                identity,
            }) => end_own(process, drain, leaf, identity),
            Some(Held::Builders(identity)) => self.end_builders(identity),
            None => Usage::default(),
        };
        Ending {
            how,
            user,
            system,
            memory_peak: usage.memory_peak,
            memory_kills: usage.memory_kills,
            pids_peak: usage.pids_peak,
            pids_refused: usage.pids_refused,
            disk_written: usage.disk_written,
        }
    }

    /// What the builder says after the end. Without its word that nothing is left, the
    /// identity is not used again.
    fn end_builders(&self, identity: Identity) -> Usage {
        let end = Instant::now() + END_LIMIT + END_LIMIT;
        let mut account = None;
        while let Some(told) = self.next_packet(end) {
            if account.is_some() {
                self.output.take(0, &told);
                break;
            }
            // Before it may come what is known already: that it ended.
            account = codec::decode_canonical::<Account>(&told).ok();
        }
        let account = account.unwrap_or_default();
        if account.gone {
            identity.give_back();
        }
        Usage {
            memory_peak: account.memory_peak,
            memory_kills: account.memory_kills,
            pids_peak: account.pids_peak,
            pids_refused: account.pids_refused,
            disk_written: account.disk_written,
        }
    }

    /// The next packet, if one comes before `end`.
    fn next_packet(&self, end: Instant) -> Option<Vec<u8>> {
        loop {
            match poll_in(
                &self.control,
                Some(end.saturating_duration_since(Instant::now())),
            ) {
                Ok(1..) => break,
                Err(rustix::io::Errno::INTR) => {}
                _ => return None,
            }
        }
        let (told, _) = order::receive_packet(self.control.as_fd()).ok()?;
        (!told.is_empty()).then_some(told)
    }

    fn next_report(&self, deadline: Option<Instant>) -> Next {
        loop {
            let timeout = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            match poll_in(&self.control, timeout) {
                Ok(0) => return Next::Late,
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return Next::Closed,
            }
            return match order::receive_packet(self.control.as_fd()) {
                Ok((bytes, _)) if bytes.is_empty() => Next::Closed,
                Ok((bytes, mut fds)) => {
                    if let Some(listening) = fds.pop() {
                        *lock(&self.listening) = Some(listening);
                    }
                    codec::decode_canonical(&bytes).map_or(Next::Malformed, Next::Report)
                }
                Err(_) => Next::Closed,
            };
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if lock(&self.ended).is_none() {
            self.finish(How::Killed, Duration::ZERO, Duration::ZERO);
        }
    }
}

/// Ends a launcher of this process's own, and what it started.
fn end_own(mut process: Process, drain: JoinHandle<()>, leaf: Leaf, identity: Identity) -> Usage {
    // The launcher exits when init is reaped, which is when all are gone. One
    // that does not is killed, and its init dies of its parent-death signal.
    if !exits_by(&process.0, Instant::now() + END_LIMIT) {
        let _gone = process.0.kill();
    }
    let _status = process.0.wait();
    let _joined = drain.join();
    let usage = leaf.usage();
    // The group is gone, so every process in it is: see uids.rs.
    if leaf.remove() {
        identity.give_back();
    }
    usage
}

enum Next {
    Report(Report),
    Malformed,
    Closed,
    Late,
}

fn poll_in(fd: impl AsFd, timeout: Option<Duration>) -> rustix::io::Result<usize> {
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let mut one = [PollFd::new(&fd, PollFlags::IN)];
    rustix::event::poll(&mut one, timeout.as_ref())
}

/// Whether the child has exited by then; it is not reaped.
fn exits_by(child: &Child, end: Instant) -> bool {
    let pidfd = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .and_then(|pid| {
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
        });
    let Some(pidfd) = pidfd else { return false };
    loop {
        match poll_in(&pidfd, Some(end.saturating_duration_since(Instant::now()))) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
