//! A software TPM that tpm2-tools speak to.
#![allow(dead_code, reason = "each test file uses its own part of the bed")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A swtpm with the control socket that tpm2-tools want.
pub(crate) struct Bed {
    folder: tempfile::TempDir,
    swtpm: Child,
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ended = self.swtpm.kill();
        let _reaped = self.swtpm.wait();
    }
}

impl Bed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let swtpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", path.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}/socket", path.display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}/socket.ctrl", path.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bed = Self { folder, swtpm };
        let patience = Instant::now() + Duration::from_secs(60);
        while !bed.try_tool("tpm2_getcap properties-fixed") {
            assert!(Instant::now() < patience, "swtpm does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        bed
    }

    pub(crate) fn tool(&self, line: &str) {
        assert!(self.try_tool(line), "{line}");
    }

    fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let tcti = format!("swtpm:path={}/socket", self.folder.path().display());
        command.args(words).current_dir(self.folder.path());
        command.env("TPM2TOOLS_TCTI", tcti);
        command
    }

    pub(crate) fn try_tool(&self, line: &str) -> bool {
        self.command(line).output().unwrap().status.success()
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path: &Path = self.folder.path();
        fs::write(path.join(name), bytes).unwrap();
    }

    /// What a tool says on its standard output.
    pub(crate) fn said(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).unwrap()
    }
}
