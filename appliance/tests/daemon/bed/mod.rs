//! A test bed: swtpm, a measured start, an opened root, a really running casemated.
#![allow(dead_code, reason = "each test file uses its own part of the bed")]

pub(crate) mod agent;
pub(crate) mod boot;
pub(crate) mod http;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use casemate_device::Handover;
use casemate_device::Opened;
use casemate_device::swtpm::Swtpm;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// Longest wait for anything on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) exit: i32,
}

/// The bed; everything of it ends and is removed when it is dropped.
pub(crate) struct Bed {
    pub(crate) daemon: Option<Child>,
    pub(crate) handover: OwnedFd,
    opened: Opened,
    swtpm: Option<Swtpm>,
    pub(crate) directory: tempfile::TempDir,
}

impl Bed {
    /// A provisioned TPM and an opened root; no daemon yet.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let swtpm = Swtpm::start(&path("tpm"), &path("tpm.sock")).unwrap();
        let opened = boot::open_root(&swtpm, directory.path());
        Self {
            daemon: None,
            handover: sealed(&opened.handover),
            opened,
            swtpm: Some(swtpm),
            directory,
        }
    }

    /// The same with a daemon that is ready.
    pub(crate) fn running() -> Self {
        let mut bed = Self::new();
        bed.start();
        bed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another TPM in place of this one, provisioned and opened; the state stays.
    pub(crate) fn swap_tpm(&mut self) {
        self.swtpm.take().unwrap().stop();
        let other = self.path("other");
        std::fs::create_dir(&other).unwrap();
        let swtpm = Swtpm::start(&self.path("other-tpm"), &self.path("tpm.sock")).unwrap();
        let opened = boot::open_root(&swtpm, &other);
        self.handover = sealed(&opened.handover);
        self.swtpm = Some(swtpm);
    }

    /// Another TPM in place of this one, and this state's root on it by the recovery key.
    pub(crate) fn recover(&mut self) {
        let key = self.opened.new_recovery_key(&self.path("state/tpm"));
        let key = key.unwrap().unwrap();
        self.swtpm.take().unwrap().stop();
        let swtpm = Swtpm::start(&self.path("other-tpm"), &self.path("tpm.sock")).unwrap();
        self.opened = boot::recover_root(&swtpm, self.directory.path(), &key);
        self.handover = sealed(&self.opened.handover);
        self.swtpm = Some(swtpm);
    }

    /// The TPM is gone; whoever is connected finds that out.
    pub(crate) fn power_tpm_off(&mut self) {
        self.swtpm.take().unwrap().stop();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casemated"));
        command
            .arg("--state")
            .arg(self.path("state"))
            .arg("--run")
            .arg(self.path("run"))
            .arg("--tpm")
            .arg(self.swtpm.as_ref().unwrap().tcti())
            .arg("--handover-fd")
            .arg(self.handover.as_raw_fd().to_string())
            .arg("--release")
            .arg(self.path("release.cose"))
            .arg("--firmware-log")
            .arg(self.path("firmware.log"))
            .arg("--runtime-log")
            .arg(self.path("runtime.log"))
            .arg("--agent-uid")
            .arg(geteuid().to_string())
            // Only when a test asks for it, or the transcripts would differ.
            .args(["--checkpoint-every", "86400"])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("casemated.log"))
            .unwrap();
        let child = self.command().stderr(log).spawn().unwrap();
        self.daemon = Some(child);
        let socket = self.path("run/api.sock");
        wait_until("casemated answers", || {
            if let Some(status) = self.daemon.as_mut().unwrap().try_wait().unwrap() {
                panic!("casemated ended, {status}: {}", self.log());
            }
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("casemated.log")).unwrap_or_default()
    }

    /// Runs a daemon that must end by itself.
    pub(crate) fn start_in_vain(&self) -> Said {
        let child = self.command().stderr(Stdio::piped()).spawn().unwrap();
        said(child)
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        let mut child = self.daemon.take().unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        child.wait().unwrap()
    }

    /// Stops the daemon as an operator does.
    pub(crate) fn stop(&mut self) {
        let status = self.signal(Signal::SIGTERM);
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Ends the daemon as a power cut does, but for the disk's cache.
    pub(crate) fn kill(&mut self) {
        assert_eq!(self.signal(Signal::SIGKILL).signal(), Some(9));
    }

    /// Runs `casemate` against the daemon.
    pub(crate) fn casemate(&self, arguments: &[&str]) -> Said {
        let child = Command::new(env!("CARGO_BIN_EXE_casemate"))
            .arg("--socket")
            .arg(self.path("run/api.sock"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        said(child)
    }

    /// The same, which must end with 0; its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.casemate(&[&["--json"], arguments].concat());
        assert_eq!(said.exit, 0, "{arguments:?}: {said:?}");
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {said:?}"))
    }

    /// A workflow's folder.
    pub(crate) fn workflow(&self, name: &str, on_interrupt: &str) -> PathBuf {
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "version = 1\nname = \"{name}\"\nsummary = \"A workflow for tests\"\n\
             on_interrupt = \"{on_interrupt}\"\n\n[parameters]\nlanguage = \"de\"\n\n\
             [grants]\nverbs = [\"open\"]\napplications = [\"mousepad\"]\n\
             outputs = [\"result.txt\"]\n"
        );
        std::fs::write(folder.join("workflow.toml"), text).unwrap();
        std::fs::write(folder.join("main.star"), "log(\"hello\")\n").unwrap();
        folder
    }

    /// Adds a workflow.
    pub(crate) fn add_workflow(&self, name: &str, on_interrupt: &str) {
        let folder = self.workflow(name, on_interrupt);
        self.json(&["workflow", "add", folder.to_str().unwrap()]);
    }

    /// A document to give to a job.
    pub(crate) fn document(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts a job; its id.
    pub(crate) fn run_job(&self, workflow: &str) -> String {
        let job = self.json(&["job", "run", workflow]);
        job["job"].as_str().unwrap().to_owned()
    }

    pub(crate) fn job(&self, job: &str) -> serde_json::Value {
        self.json(&["job", "show", job])
    }

    pub(crate) fn wait_for_state(&self, job: &str, state: &str) -> serde_json::Value {
        wait_until(&format!("job {job} is {state}"), || {
            self.job(job)["state"] == state
        });
        self.job(job)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("casemated said:\n{}", self.log());
        }
    }
}

fn said(mut child: Child) -> Said {
    let read = |stream: Option<&mut dyn std::io::Read>| {
        let mut text = String::new();
        if let Some(stream) = stream {
            stream.read_to_string(&mut text).unwrap();
        }
        text
    };
    let mut stderr = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(stderr) = &mut stderr {
            stderr.read_to_string(&mut text).unwrap();
        }
        text
    });
    let mut stdout = child.stdout.take();
    let out = read(
        stdout
            .as_mut()
            .map(|stream| stream as &mut dyn std::io::Read),
    );
    let status = child.wait().unwrap();
    Said {
        out,
        err: errors.join().unwrap(),
        exit: status.code().unwrap_or(-1),
    }
}

/// The handover as unseal leaves it: sealed memory that a child inherits.
fn sealed(handover: &Handover) -> OwnedFd {
    let fd = memfd_create(c"handover", MFdFlags::MFD_ALLOW_SEALING).unwrap();
    let mut file = File::from(fd);
    file.write_all(&handover.to_bytes()).unwrap();
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    file.into()
}

/// Whether nothing but these is left below a directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
