//! Development only: a software TPM as a child process, for the stand and the tests.
//!
//! Nothing is attested by a TPM whose memory the developer owns; evidence made with
//! one says so (`PASS (development root)`).

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::tpm::{OpenTpmError, Tpm};

/// Where swtpm writes its process id, in its state directory.
const PID_FILE: &str = "swtpm.pid";
/// Longest wait for swtpm's socket on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the software TPM does not run.
#[derive(Debug, thiserror::Error)]
pub enum SwtpmError {
    /// A directory or socket could not be made.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// swtpm could not be started.
    #[error("cannot start swtpm: {0}")]
    Spawn(#[source] io::Error),
    /// swtpm ended, or its socket did not appear.
    #[error("swtpm does not answer: {0}")]
    Silent(String),
    /// It answers, but not usefully.
    #[error(transparent)]
    Tpm(#[from] OpenTpmError),
}

/// A running swtpm; stopped as by power-off when dropped.
#[derive(Debug)]
pub struct Swtpm {
    child: Child,
    socket: PathBuf,
    stopped: bool,
}

impl Swtpm {
    /// Starts swtpm on its state directory, with a private socket at `socket`. The TPM is as
    /// after power-on: not started, registers reset. Paths are made absolute, because a relative
    /// state path puts swtpm into failure mode.
    ///
    /// # Errors
    /// [`SwtpmError`] when it does not run.
    pub fn start(state: &Path, socket: &Path) -> Result<Self, SwtpmError> {
        let file = |path: &Path| {
            let path = path.to_path_buf();
            move |source| SwtpmError::File { path, source }
        };
        fs::create_dir_all(state).map_err(file(state))?;
        let state = state.canonicalize().map_err(file(state))?;
        end_orphan(&state).map_err(file(&state))?;
        if socket.exists() {
            fs::remove_file(socket).map_err(file(socket))?;
        }
        let parent = socket.parent().unwrap_or_else(|| Path::new("/"));
        let parent = parent.canonicalize().map_err(file(parent))?;
        let socket = parent.join(socket.file_name().unwrap_or_default());
        let mut child = Command::new("swtpm")
            .arg("socket")
            .arg("--tpm2")
            .arg("--tpmstate")
            .arg(format!("dir={},mode=0600", state.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={},mode=0600", socket.display()))
            .arg("--flags")
            .arg("not-need-init")
            .arg("--seccomp")
            .arg("action=none")
            .arg("--log")
            .arg(format!(
                "file={},level=1",
                state.join("swtpm.log").display()
            ))
            .arg("--pid")
            .arg(format!("file={}", state.join(PID_FILE).display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(SwtpmError::Spawn)?;
        match wait_for(&mut child, &socket) {
            Ok(()) => Ok(Self {
                child,
                socket,
                stopped: false,
            }),
            Err(error) => {
                let _ended = child.kill();
                let _reaped = child.wait();
                Err(error)
            }
        }
    }

    /// The connection string for [`Tpm::open`].
    #[must_use]
    pub fn tcti(&self) -> String {
        format!("swtpm:path={}", self.socket.display())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`OpenTpmError`] when it does not answer.
    pub fn open(&self) -> Result<Tpm, OpenTpmError> {
        Tpm::open(&self.tcti())
    }

    /// Shuts the TPM down in an orderly way and ends the process. While somebody else is
    /// connected it cannot be asked, and after two seconds is ended as by power-off.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        // Without an orderly shutdown the next start counts as a restart after power loss;
        // that is allowed, so a failure here is not an error.
        let _orderly = shut_down(&self.socket);
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
        let _removed = fs::remove_file(&self.socket);
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.end();
    }
}

/// `TPM2_Shutdown(CLEAR)`, with less patience than a [`Tpm`] has.
fn shut_down(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(&[0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0])?;
    stream.read_exact(&mut [0; 10])
}

/// Ends the swtpm that a killed launcher left running on this state: its pid file names a
/// process whose command line names the state. Any other process is left alone.
fn end_orphan(state: &Path) -> io::Result<()> {
    let Ok(text) = fs::read_to_string(state.join(PID_FILE)) else {
        return Ok(());
    };
    let Ok(pid) = text.trim().parse::<i32>() else {
        return Ok(());
    };
    let wanted = format!("dir={},", state.display());
    let runs = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|argument| argument.starts_with(wanted.as_bytes()))
    };
    if !runs() {
        return Ok(());
    }
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    let start = Instant::now();
    while runs() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Waits until a connection succeeds: the socket's name is there before swtpm listens on it.
fn wait_for(child: &mut Child, socket: &Path) -> Result<(), SwtpmError> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if UnixStream::connect(socket).is_ok() {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(SwtpmError::Silent(format!("it ended with {status}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(SwtpmError::Silent(format!(
        "no socket after {} s",
        PATIENCE.as_secs()
    )))
}
