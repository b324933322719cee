//! The machine: QEMU without hardware virtualisation, OVMF with SMM, swtpm.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest boot, start to power-off. A boot takes 40 s on an idle machine.
const PATIENCE: Duration = Duration::from_secs(900);
const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";

/// The files of one machine.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Console, sockets.
    pub(crate) work: PathBuf,
    /// The TPM's state.
    pub(crate) tpm: PathBuf,
    /// The firmware's variables.
    pub(crate) variables: PathBuf,
    pub(crate) disk: PathBuf,
    pub(crate) stick: PathBuf,
}

/// How a boot ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The guest turned the machine off.
    Off,
    /// The console said the text that was waited for; the power was cut.
    Said,
}

/// A child that is ended, by its own id, when the test ends in whatever way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Machine {
    pub(crate) fn console(&self) -> String {
        let bytes = fs::read(self.work.join("console")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Powers on and waits until it is off, or has said `until`.
    pub(crate) fn boot(&self, what: &str, until: Option<&str>) -> End {
        let start = Instant::now();
        let say =
            |line: &str| eprintln!("boot: {what}: {:>4} s: {line}", start.elapsed().as_secs());
        say("power on");
        let _old = fs::remove_file(self.work.join("console"));
        let _tpm = self.swtpm();
        let mut machine = self.qemu();
        let mut shown = 0;
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let console = self.console();
            for line in console[shown..].split_inclusive('\n') {
                if line.ends_with('\n') {
                    shown += line.len();
                    let line = line.trim_matches(|c: char| c.is_control() || c == ' ');
                    if line.contains("guest:") || line.contains("BdsDxe") || line.contains("panic")
                    {
                        say(line);
                    }
                }
            }
            if until.is_some_and(|text| console.contains(text)) {
                return End::Said;
            }
            if let Some(status) = machine.0.try_wait().unwrap() {
                assert!(status.success(), "QEMU ended with {status}:\n{console}");
                say("power off");
                return End::Off;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{what}: not off after {} s:\n{console}",
                PATIENCE.as_secs()
            );
        }
    }

    fn swtpm(&self) -> Running {
        fs::create_dir_all(&self.tpm).unwrap();
        let control = self.work.join("tpm.control");
        let _old = fs::remove_file(&control);
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--seccomp", "action=none"])
            .arg("--tpmstate")
            .arg(format!("dir={}", self.tpm.display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}", control.display()))
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("swtpm: {error}"));
        let running = Running(child);
        let start = Instant::now();
        while !control.exists() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "swtpm does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    fn qemu(&self) -> Running {
        let drive =
            |options: &str, file: &Path| format!("{options},format=raw,file={}", file.display());
        let log = File::create(self.work.join("qemu.log")).unwrap();
        let child = Command::new("qemu-system-x86_64")
            .args([
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
                "-m",
                "512",
                "-cpu",
                "max",
            ])
            .args(["-machine", "q35,smm=on,accel=tcg"])
            .args(["-global", "driver=cfi.pflash01,property=secure,value=on"])
            .arg("-drive")
            .arg(drive("if=pflash,unit=0,readonly=on", Path::new(CODE)))
            .arg("-drive")
            .arg(drive("if=pflash,unit=1", &self.variables))
            .arg("-drive")
            .arg(drive("if=none,id=disk,readonly=on", &self.disk))
            .args(["-device", "virtio-blk-pci,drive=disk,bootindex=0"])
            .arg("-drive")
            .arg(drive("if=none,id=stick", &self.stick))
            .args(["-device", "virtio-blk-pci,drive=stick"])
            .arg("-chardev")
            .arg(format!(
                "socket,id=tpm,path={}",
                self.work.join("tpm.control").display()
            ))
            .args([
                "-tpmdev",
                "emulator,id=tpm0,chardev=tpm",
                "-device",
                "tpm-tis,tpmdev=tpm0",
            ])
            .arg("-serial")
            .arg(format!("file:{}", self.work.join("console").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("QEMU: {error}; run make test-boot, which installs it"));
        Running(child)
    }
}
