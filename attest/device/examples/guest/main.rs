//! The init of the machine that the boot test starts: what an appliance does in its initrd, with
//! the real firmware, kernel and TPM interface below it.
//!
//! It runs the real `unseal` and answers on the *stick*, a FAT file system on the device that
//! `casemate.stick=` names on the kernel's command line, as an auditor's stick is answered on:
//!
//! | read | |
//! |---|---|
//! | `release.cose`, `release.pub`, `site.pub` | the release that runs, its key, the site's key |
//! | `challenge` | an auditor's question; without it no evidence is made |
//! | `site-approval` | a change that the site approved; taken when the root does not open |
//!
//! | written | |
//! |---|---|
//! | `firmware.log`, `runtime.log` | the event logs |
//! | `state/` | the sealed root |
//! | `enrolment-request`, `evidence` | for the owner and the auditor |
//! | `report` | one line a step: `done STEP` or `failed STEP: why` |
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "standard output is the machine's console"
)]

mod answer;
mod machine;

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Command;

use casemate_device::{Handover, RuntimeLog, Tpm};

/// A step's outcome; any reason ends the step, none ends the machine but power-off.
type Step<T> = Result<T, Box<dyn Error>>;

const TPM: &str = "device:/dev/tpmrm0";
const STICK: &str = "/stick";
const RUNTIME_LOG: &str = "/run/runtime.log";
const FIRMWARE_LOG: &str = "/run/firmware.log";
const MEASUREMENTS: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";

fn main() {
    if let Err(error) = machine::start().and_then(|()| work()) {
        println!("guest: {error}");
    }
    machine::power_off();
}

/// Everything on the stick that concerns one boot.
fn work() -> Step<()> {
    let mut report = File::create(stick("report"))?;
    let mut say = |line: String| -> Step<()> {
        println!("guest: {line}");
        writeln!(report, "{line}")?;
        report.sync_all()?;
        Ok(())
    };
    let tpm = Tpm::open(TPM)?;
    let runtime = RuntimeLog::at(Path::new(RUNTIME_LOG));
    tpm.enter_initrd(&runtime)?;
    drop(tpm);
    let firmware = fs::read(MEASUREMENTS)?;
    fs::write(FIRMWARE_LOG, &firmware)?;
    fs::write(stick("firmware.log"), &firmware)?;
    say(format!(
        "done measure: {} bytes of firmware log",
        firmware.len()
    ))?;
    if !Path::new(&stick("state/root.cbor")).exists() {
        match provision() {
            Ok(()) => say("done provision".to_owned())?,
            Err(error) => return say(format!("failed provision: {error}")),
        }
    }
    let handover = match open() {
        Ok(handover) => handover,
        Err(error) => {
            say(format!("failed open: {error}"))?;
            if !Path::new(&stick("site-approval")).exists() {
                return Ok(());
            }
            reseal()?;
            say("done reseal".to_owned())?;
            match open() {
                Ok(handover) => handover,
                Err(error) => return say(format!("failed open: {error}")),
            }
        }
    };
    say("done open".to_owned())?;
    fs::copy(RUNTIME_LOG, stick("runtime.log"))?;
    match answer::write(&Tpm::open(TPM)?, &handover, &firmware, &runtime.bytes()?) {
        Ok(what) => say(format!("done {what}")),
        Err(error) => say(format!("failed answer: {error}")),
    }
}

fn stick(name: &str) -> String {
    format!("{STICK}/{name}")
}

fn provision() -> Step<()> {
    unseal(&[
        "provision",
        "--tpm",
        TPM,
        "--state",
        &stick("state"),
        "--release",
        &stick("release.cose"),
        "--release-key",
        &stick("release.pub"),
        "--site-key",
        &stick("site.pub"),
        "--firmware-log",
        FIRMWARE_LOG,
    ])
}

fn reseal() -> Step<()> {
    let (state, approval) = (stick("state"), stick("site-approval"));
    unseal(&["reseal-site", "--state", &state, "--approval", &approval])
}

/// The root, handed over on a memory file as the launcher of the real appliance does it.
fn open() -> Step<Handover> {
    use rustix::fs::{MemfdFlags, memfd_create};
    // Inherited by the child: not closed on exec.
    let memory = memfd_create("handover", MemfdFlags::empty())?;
    let number = memory.as_raw_fd();
    unseal(&[
        "open",
        "--tpm",
        TPM,
        "--state",
        &stick("state"),
        "--release",
        &stick("release.cose"),
        "--runtime-log",
        RUNTIME_LOG,
        "--out-fd",
        &number.to_string(),
    ])?;
    let bytes = fs::read(format!("/proc/self/fd/{number}"))?;
    Ok(Handover::from_bytes(&bytes)?)
}

fn unseal(arguments: &[&str]) -> Step<()> {
    let done = Command::new("/unseal").args(arguments).output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(said.trim().replace('\n', " ").into())
}

/// Writes and syncs a file of the stick.
fn put(name: &str, bytes: &[u8]) -> Step<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(stick(name))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}
