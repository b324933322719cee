//! A daemon as a child process that never outlives us.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{StandError, io_error};

/// How long a daemon may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command whose process the kernel ends when this thread does, so that a test
/// that is killed leaves nothing running. (`setpriv` is part of util-linux.)
pub(super) fn dying_with_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// A started daemon; dropped, it is stopped.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    child: Option<Child>,
    log: PathBuf,
    from: u64,
}

impl Daemon {
    /// Starts it with both outputs appended to a log.
    ///
    /// # Errors
    /// See [`StandError`].
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self, StandError> {
        let open = || File::options().create(true).append(true).open(log);
        let file = open().map_err(io_error(log.display().to_string()))?;
        let from = file.metadata().map(|found| found.len()).unwrap_or(0);
        let also = file
            .try_clone()
            .map_err(io_error(log.display().to_string()))?;
        let child = command
            .stdout(Stdio::from(file))
            .stderr(Stdio::from(also))
            .spawn()
            .map_err(io_error(name))?;
        Ok(Self {
            name,
            child: Some(child),
            log: log.to_path_buf(),
            from,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Its exit status in words, if it has ended.
    pub fn has_ended(&mut self) -> Option<String> {
        let child = self.child.as_mut()?;
        child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| status.to_string())
    }

    /// What it wrote since it was started (the last 4 KiB).
    pub fn words(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            let end = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(self.from.max(end.saturating_sub(4096))))?;
            file.read_to_end(&mut text)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&text).into_owned(),
            Err(e) => format!("(its log {} cannot be read: {e})", self.log.display()),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid()).ok().filter(|pid| *pid > 0) {
            let _gone = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Kills it as a power cut would, and reaps it.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(mut child) = self.child.take() {
            let _reaped = child.wait();
        }
    }

    /// Stops it in an orderly way.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        let Some(mut child) = self.child.take() else {
            return;
        };
        let until = Instant::now() + PATIENCE;
        while child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > until {
                let _gone = child.kill();
                let _reaped = child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}
