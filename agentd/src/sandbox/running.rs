//! A running sandbox, as agentd holds it.

use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use casemate_protocol::codec;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::Shutdown;

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
        Launcher::keep_ready(count);
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
    process: Mutex<Process>,
    output: Arc<Output>,
    drain: Mutex<Option<JoinHandle<()>>>,
    ended: Mutex<Option<Ending>>,
    held: Mutex<Option<(Leaf, Identity)>>,
    listening: Mutex<Option<OwnedFd>>,
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
        let running = Self {
            control,
            process: Mutex::new(process),
            output: Arc::clone(&output),
            drain: Mutex::new(None),
            ended: Mutex::new(None),
            held: Mutex::new(Some((leaf, identity))),
            listening: Mutex::new(None),
        };
        let drain = std::thread::Builder::new()
            .name("sandbox-output".into())
            .stack_size(128 << 10)
            .spawn(move || output.drain(outputs))
            .at(&code::SANDBOX_LAUNCHER, || {
                "no thread for its output".to_owned()
            })?;
        *lock(&running.drain) = Some(drain);
        Ok(running)
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
            let (how, user, system) = match self.next_report(Some(deadline)) {
                Next::Late => return None,
                Next::Report(Report::Ended {
                    how,
                    user_us,
                    system_us,
                }) => (
                    how,
                    Duration::from_micros(user_us),
                    Duration::from_micros(system_us),
                ),
                // Killed before it could report, or a report that makes no sense.
                _ => (How::Killed, Duration::ZERO, Duration::ZERO),
            };
            *ended = Some(self.finish(how, user, system));
        }
        *ended
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

    /// The launcher's process id, in agentd's pid namespace.
    pub fn launcher(&self) -> u32 {
        lock(&self.process).0.id()
    }

    fn finish(&self, how: How, user: Duration, system: Duration) -> Ending {
        self.kill();
        let end = Instant::now() + END_LIMIT;
        let mut process = lock(&self.process);
        // The launcher exits when init is reaped, which is when all are gone. One
        // that does not is killed, and its init dies of its parent-death signal.
        if !exits_by(&process.0, end) {
            let _gone = process.0.kill();
        }
        let _status = process.0.wait();
        drop(process);
        if let Some(drain) = lock(&self.drain).take() {
            let _joined = drain.join();
        }
        let mut usage = Usage::default();
        if let Some((leaf, identity)) = lock(&self.held).take() {
            usage = leaf.usage();
            // The group is gone, so every process in it is: see uids.rs.
            if leaf.remove() {
                identity.give_back();
            }
        }
        Ending {
            how,
            user,
            system,
            memory_peak: usage.memory_peak,
            memory_kills: usage.memory_kills,
            pids_peak: usage.pids_peak,
            disk_written: usage.disk_written,
        }
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
