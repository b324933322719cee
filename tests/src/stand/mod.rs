//! The development stand: the appliance's own daemons on swtpm and folders.
//!
//! What a booted image does by firmware, initrd and units happens here in the same
//! order by this launcher: the TPM starts, a recorded firmware sequence is measured
//! into it, `unseal` opens the root and hands the derived keys over, `casemated`
//! opens its state, and `agentd enter` mounts the verified packs and leaves the
//! host. The daemons are the shipped programs, unchanged; only their TPM, folders
//! and release key are development ones, and every verdict says so.

mod layout;
pub mod leftover;
mod process;
pub mod story;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use casemate_device::RuntimeLog;
use casemate_device::swtpm::{Swtpm, SwtpmError};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::Value;
use thiserror::Error;

pub use layout::{Layout, UID_COUNT, repository};
pub use process::Daemon;

/// How long a daemon may take to be ready on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the stand did not start, or a step on it failed.
#[derive(Debug, Error)]
pub enum StandError {
    /// A file or process could not be had.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The software TPM does not run.
    #[error(transparent)]
    Swtpm(#[from] SwtpmError),
    /// The recorded firmware sequence could not be measured.
    #[error("the measured start failed: {0}")]
    MeasuredStart(String),
    /// A program of ours said no; its own words follow.
    #[error("{program} ended with {status}:\n{words}")]
    Program {
        /// Which.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it wrote.
        words: String,
    },
    /// A daemon was not ready in time.
    #[error("{0} was not ready in time")]
    Late(&'static str),
    /// Something came out other than it must.
    #[error("{0}")]
    Wrong(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> StandError {
    let what = what.into();
    move |source| StandError::Io { what, source }
}

/// A running appliance on this machine.
#[derive(Debug)]
pub struct Stand {
    /// Where everything is.
    pub layout: Layout,
    tpm: Option<Swtpm>,
    handover: OwnedFd,
    /// `casemated`, unless it was stopped.
    pub casemated: Option<Daemon>,
    /// `agentd enter`, unless it was stopped.
    pub agentd: Option<Daemon>,
}

impl Stand {
    /// Starts the appliance from power-off: TPM, measured start, unseal, daemons.
    ///
    /// # Errors
    /// See [`StandError`]; what was started is ended again.
    pub fn start(layout: Layout) -> Result<Self, StandError> {
        layout
            .create()
            .map_err(io_error("cannot make the stand's folders"))?;
        let tpm = Swtpm::start(&layout.tpm(), &layout.tpm_socket())?;
        measured_start(&tpm, &layout)?;
        if !layout.provisioned() {
            run(unseal(&layout, &tpm, "provision").args([
                "--release-key".as_ref(),
                layout.dev("release.pub").as_os_str(),
                "--site-key".as_ref(),
                layout.dev("site.pub").as_os_str(),
                "--firmware-log".as_ref(),
                layout.dev("firmware.log").as_os_str(),
            ]))?;
        }
        let handover = open_root(&layout, &tpm)?;
        let mut stand = Self {
            layout,
            tpm: Some(tpm),
            handover,
            casemated: None,
            agentd: None,
        };
        stand.start_casemated()?;
        stand.start_agentd()?;
        Ok(stand)
    }

    fn tcti(&self) -> String {
        self.tpm.as_ref().map(Swtpm::tcti).unwrap_or_default()
    }

    /// Starts `casemated` with the handover that outlives it, and waits for its socket.
    ///
    /// # Errors
    /// See [`StandError`].
    pub fn start_casemated(&mut self) -> Result<(), StandError> {
        let layout = &self.layout;
        let handover = self
            .handover
            .try_clone()
            .map_err(io_error("cannot pass the keys on"))?;
        let mut command = process::dying_with_us(&layout.program("casemated"));
        command
            .arg("--state")
            .arg(layout.state())
            .arg("--run")
            .arg(layout.run())
            .arg("--tpm")
            .arg(self.tcti())
            .args(["--handover-fd", "0", "--agent-uid", "0"])
            .arg("--release")
            .arg(layout.dev("release.cose"))
            .arg("--firmware-log")
            .arg(layout.dev("firmware.log"))
            .arg("--runtime-log")
            .arg(layout.runtime_log())
            .stdin(Stdio::from(handover));
        let mut daemon = Daemon::start("casemated", command, &layout.log("casemated"))?;
        self.wait_until(&mut daemon, "casemated", |stand| stand.status().is_ok())?;
        self.casemated = Some(daemon);
        Ok(())
    }

    /// Starts `agentd enter` and waits until the daemon sees it.
    ///
    /// # Errors
    /// See [`StandError`].
    pub fn start_agentd(&mut self) -> Result<(), StandError> {
        let layout = &self.layout;
        let mut command = process::dying_with_us(&layout.program("agentd"));
        command
            .arg("enter")
            .arg("--pack")
            .arg(layout.pack("desktop"))
            .arg("--pack")
            .arg(layout.pack("ocr"))
            .arg("--release-key")
            .arg(layout.dev("release.pub"))
            .arg("--daemon")
            .arg(layout.run().join("agentd.sock"))
            .arg("--bin-dir")
            .arg(layout.agent_programs())
            .args(["--uid-base", &layout.uid_base().to_string()])
            .args(["--uid-count", &UID_COUNT.to_string()])
            .args(["--slots", &layout.slots().to_string()])
            .stdin(Stdio::null());
        let mut daemon = Daemon::start("agentd", command, &layout.log("agentd"))?;
        self.wait_until(&mut daemon, "agentd", |stand| {
            stand
                .status()
                .is_ok_and(|status| status.get("agent").is_some_and(Value::is_object))
        })?;
        self.agentd = Some(daemon);
        Ok(())
    }

    fn wait_until(
        &self,
        daemon: &mut Daemon,
        name: &'static str,
        ready: impl Fn(&Self) -> bool,
    ) -> Result<(), StandError> {
        let until = Instant::now() + PATIENCE;
        while !ready(self) {
            if let Some(status) = daemon.has_ended() {
                return Err(StandError::Program {
                    program: name.to_owned(),
                    status,
                    words: daemon.words(),
                });
            }
            if Instant::now() > until {
                return Err(StandError::Late(name));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What `casemate status` says.
    ///
    /// # Errors
    /// See [`StandError`].
    pub fn status(&self) -> Result<Value, StandError> {
        self.json(&["status"])
    }

    /// `casemate` for this stand.
    pub fn casemate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.layout.program("casemate"));
        command
            .arg("--socket")
            .arg(self.layout.run().join("api.sock"))
            .args(arguments);
        command
    }

    /// Runs `casemate --json` and reads what it printed.
    ///
    /// # Errors
    /// [`StandError::Program`] for any exit code but 0.
    pub fn json(&self, arguments: &[&str]) -> Result<Value, StandError> {
        let output = run(self.casemate(&["--json"]).args(arguments))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|e| StandError::Wrong(format!("casemate {arguments:?} printed no JSON: {e}")))
    }

    /// `attest`, which is not of this stand: it trusts nothing of it.
    pub fn attest(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.layout.program("attest"));
        command.args(arguments);
        command
    }

    /// Stops both daemons in order, then powers the TPM off.
    pub fn stop(mut self) {
        self.power_off();
    }

    fn power_off(&mut self) {
        if let Some(agentd) = self.agentd.take() {
            agentd.stop();
        }
        if let Some(casemated) = self.casemated.take() {
            casemated.stop();
        }
        if let Some(tpm) = self.tpm.take() {
            tpm.stop();
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.power_off();
    }
}

fn measured_start(tpm: &Swtpm, layout: &Layout) -> Result<(), StandError> {
    let path = layout.dev("firmware.log");
    let log = std::fs::read(&path).map_err(io_error(path.display().to_string()))?;
    let failed = |e: &dyn std::fmt::Display| StandError::MeasuredStart(e.to_string());
    // What is measured after the firmware belongs to this boot alone.
    match std::fs::remove_file(layout.runtime_log()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(&e)),
        _ => {}
    }
    let runtime = RuntimeLog::at(&layout.runtime_log());
    let tpm = tpm.open().map_err(|e| failed(&e))?;
    tpm.measured_start(&log, &runtime)
        .map(drop)
        .map_err(|e| failed(&e))
}

fn unseal(layout: &Layout, tpm: &Swtpm, what: &str) -> Command {
    let mut command = Command::new(layout.program("unseal"));
    command
        .arg(what)
        .arg("--tpm")
        .arg(tpm.tcti())
        .arg("--state")
        .arg(layout.state().join("tpm"))
        .arg("--release")
        .arg(layout.dev("release.cose"));
    command
}

/// Has `unseal` write the derived keys into a memory descriptor, then seals it.
fn open_root(layout: &Layout, tpm: &Swtpm) -> Result<OwnedFd, StandError> {
    let memory = memfd_create(
        c"handover",
        MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
    )
    .map_err(|e| io_error("no memory descriptor")(e.into()))?;
    let out = memory
        .try_clone()
        .map_err(io_error("no memory descriptor"))?;
    let mut command = unseal(layout, tpm, "open");
    command
        .arg("--runtime-log")
        .arg(layout.runtime_log())
        .args(["--out-fd", "1"]);
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(File::from(out)))
        .stderr(Stdio::piped())
        .output()
        .map_err(io_error("unseal"))?;
    checked("unseal", output)?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))
        .map_err(|e| io_error(format!("sealing descriptor {}", memory.as_raw_fd()))(e.into()))?;
    Ok(memory)
}

/// Runs a program to its end; anything but exit code 0 is an error with its words.
///
/// # Errors
/// See [`StandError`].
pub fn run(command: &mut Command) -> Result<Output, StandError> {
    let program = PathBuf::from(command.get_program());
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(io_error(name.clone()))?;
    checked(&name, output)
}

fn checked(name: &str, output: Output) -> Result<Output, StandError> {
    if output.status.success() {
        return Ok(output);
    }
    let mut words = String::from_utf8_lossy(&output.stdout).into_owned();
    words.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(StandError::Program {
        program: name.to_owned(),
        status: output.status.to_string(),
        words,
    })
}
