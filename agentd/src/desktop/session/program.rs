//! Programs of the desktop: each its own process group, ended as a whole.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

/// How long killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// A program that the session started.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    pidfd: OwnedFd,
}

/// What to do with a program's standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// With its errors into its log.
    Log,
    /// A pipe on which the program says that it is ready.
    Pipe,
}

impl Program {
    /// Starts a program with exactly this environment; its errors go to `log`.
    pub(super) fn start(
        argv: &[String],
        environment: &[(&'static str, String)],
        log: &Path,
        output: Output,
    ) -> io::Result<Self> {
        let (program, arguments) = argv
            .split_first()
            .ok_or_else(|| io::Error::other("no program is named"))?;
        let log = File::create(log)?;
        let stdout = match output {
            Output::Log => Stdio::from(log.try_clone()?),
            Output::Pipe => Stdio::piped(),
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let opened = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .ok_or_else(|| io::Error::other("no process id"))
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
        match opened {
            Ok(pidfd) => Ok(Self { child, pidfd }),
            Err(e) => {
                child.kill()?;
                child.wait()?;
                Err(e)
            }
        }
    }

    /// Readable once the program has ended.
    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// The pipe of [`Output::Pipe`], once.
    pub(super) fn take_pipe(&mut self) -> Option<OwnedFd> {
        self.child.stdout.take().map(OwnedFd::from)
    }

    /// Whether it has ended; reaps it if so.
    pub(super) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills its process group and everything that descends from it, and waits
    /// until none of them is left. `false` if some are.
    ///
    /// A descendant that left both the group and the tree before this is not
    /// found; it dies with the sandbox.
    pub(super) fn end(&mut self) -> bool {
        let Ok(leader) = i32::try_from(self.child.id()) else {
            return false;
        };
        let deadline = Instant::now() + GONE;
        let mut known = HashSet::from([leader]);
        loop {
            let table = processes();
            grow(&mut known, &table, leader);
            // Already gone is what we want.
            let _gone = killpg(Pid::from_raw(leader), Signal::SIGKILL);
            let mut left = false;
            for pid in known
                .iter()
                .filter(|pid| table.get(pid).is_some_and(|p| !p.dead))
            {
                let _gone = kill(Pid::from_raw(*pid), Signal::SIGKILL);
                left = true;
            }
            let ended = self.ended();
            if !left && ended {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            // Wakes at once when the leader ends, else looks again.
            wait_readable(&self.pidfd, if ended { 2 } else { 20 });
        }
    }
}

/// One process of `/proc`.
#[derive(Debug, Clone, Copy)]
struct Process {
    parent: i32,
    group: i32,
    dead: bool,
}

/// Adds members of the leader's group and children of what is known.
fn grow(known: &mut HashSet<i32>, table: &HashMap<i32, Process>, leader: i32) {
    loop {
        let before = known.len();
        for (pid, process) in table {
            if process.group == leader || known.contains(&process.parent) {
                known.insert(*pid);
            }
        }
        if known.len() == before {
            return;
        }
    }
}

/// Every process of the sandbox; one that ends meanwhile is left out.
fn processes() -> HashMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name in parentheses may hold anything: count from the last one.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let dead = matches!(fields.next()?, "Z" | "X");
            let parent = fields.next()?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            Some((
                pid,
                Process {
                    parent,
                    group,
                    dead,
                },
            ))
        })
        .collect()
}

fn wait_readable(fd: &OwnedFd, milliseconds: u8) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    if milliseconds < 5 {
        // A dead leader's pidfd is always readable; only the clock helps here.
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
        return;
    }
    let _either = poll(&mut fds, PollTimeout::from(milliseconds));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_with_its_whole_tree() {
        let log = std::env::temp_dir().join(format!("casemate-program-{}", std::process::id()));
        let script = "setsid sleep 1000 & sleep 1000 & echo up; wait";
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        let environment = [("PATH", "/usr/bin:/bin".to_owned())];
        let mut program = Program::start(&argv, &environment, &log, Output::Pipe).unwrap();
        let mut pipe = File::from(program.take_pipe().unwrap());
        let mut up = [0; 3];
        std::io::Read::read_exact(&mut pipe, &mut up).unwrap();
        let leader = i32::try_from(program.child.id()).unwrap();
        let mut tree = HashSet::from([leader]);
        grow(&mut tree, &processes(), leader);
        assert!(tree.len() >= 3, "{tree:?}");
        assert!(program.end());
        let left = processes();
        assert!(
            tree.iter().all(|pid| left.get(pid).is_none_or(|p| p.dead)),
            "{tree:?}"
        );
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let log = std::env::temp_dir().join(format!("casemate-missing-{}", std::process::id()));
        assert!(Program::start(&["/no/such".to_owned()], &[], &log, Output::Log).is_err());
        assert!(Program::start(&[], &[], &log, Output::Log).is_err());
        fs::remove_file(log).unwrap();
    }
}
