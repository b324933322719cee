//! Figures of the verifier: event logs read, replayed and hashed by size, beside `tpm2_eventlog`
//! on the same files in the same run; one quote beside `tpm2_checkquote`; memory; binary.
//!
//! Run by `make bench`. A section is a function that prints its lines; what is not installed is
//! said, never skipped in silence.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark's output is its result, and it ends when it cannot have one"
)]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use casemate_attest::eventlog::{Event, EventLog, Log, all_banks};

const SIZES: [(&str, usize); 3] = [
    ("16 KiB", 16 << 10),
    ("256 KiB", 256 << 10),
    ("4 MiB", 4 << 20),
];
const ROUNDS: usize = 15;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = std::env::current_exe().expect("a path of this program");
    let attest = own
        .parent()
        .and_then(Path::parent)
        .expect("a build folder")
        .join("attest");
    let folder = std::env::temp_dir().join(format!("bench-attest-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the logs");
    let files = logs(here, &folder);
    println!("attest, the verifier");
    in_process(&files);
    beside_eventlog(&attest, &files);
    memory(&attest, &files);
    beside_checkquote(&attest, &here.join("tests/keys/ecc256-ecdsa-sha256"));
    let size = fs::metadata(&attest).map_or(0, |file| file.len());
    println!("  binary as built here: {} KiB", size >> 10);
    fs::remove_dir_all(&folder).expect("the folder to go");
}

/// The events of a boot of OVMF over and over, in four banks.
fn logs(here: &Path, folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let one = fs::read(here.join("tests/logs/ovmf.log")).expect("the recorded log");
    let log = EventLog::parse(&one).expect("a genuine log");
    let header = log.spec_id().expect("a header").len;
    let ends: Vec<_> = log
        .events()
        .iter()
        .map(|event| event.offset + event.len())
        .collect();
    let made = SIZES.iter().map(|(name, size)| {
        let mut bytes = one.clone();
        while bytes.len() + one.len() <= *size {
            bytes.extend(one.get(header..).unwrap_or_default());
        }
        let left = size.saturating_sub(bytes.len()) + header;
        let last = ends.iter().rev().find(|end| **end <= left);
        bytes.extend(
            one.get(header..last.copied().unwrap_or(header))
                .unwrap_or_default(),
        );
        let file = folder.join(format!("{size}.log"));
        fs::write(&file, &bytes).expect("a log");
        (*name, file)
    });
    made.collect()
}

fn in_process(files: &[(&str, PathBuf)]) {
    println!("  event logs in process, four banks, lowest of {ROUNDS} rounds");
    println!("    size     events   read and hash    of it hashing   replay all banks");
    for (name, file) in files {
        let bytes = fs::read(file).expect("the log");
        let read = lowest(|| {
            let began = Instant::now();
            let log = EventLog::parse(&bytes).expect("a log");
            let took = began.elapsed();
            assert!(!log.events().is_empty());
            took
        });
        let log = EventLog::parse(&bytes).expect("a log");
        let hashing = lowest(|| {
            let began = Instant::now();
            assert!(log.events().iter().all(Event::payload_holds));
            began.elapsed()
        });
        let events = log.events().len();
        let log = Log::Firmware(log);
        let replay = lowest(|| {
            let began = Instant::now();
            assert!(!all_banks(&log).is_empty());
            began.elapsed()
        });
        let [read, hashing, replay] = [read, hashing, replay].map(millis);
        println!("    {name:<8} {events:>6} {read:>12.3} ms {hashing:>13.3} ms {replay:>15.3} ms");
    }
}

fn beside_eventlog(attest: &Path, files: &[(&str, PathBuf)]) {
    if !is_there("tpm2_eventlog") {
        println!("  tpm2_eventlog is not installed: nothing to compare with");
        return;
    }
    println!("  whole processes on the same files, in turns: read, named, replayed, printed");
    println!("    size      attest log     attest log --json   tpm2_eventlog   ratio");
    for (name, file) in files {
        let (mut tables, mut json, mut other) = (Vec::new(), Vec::new(), Vec::new());
        let mut failed = false;
        for _ in 0..ROUNDS {
            tables.push(run(Command::new(attest).arg("log").arg(file)).0);
            json.push(run(Command::new(attest).args(["log", "--json"]).arg(file)).0);
            let (took, success) = run(Command::new("tpm2_eventlog").arg(file));
            other.push(took);
            failed |= !success;
        }
        let [tables, json, other] = [tables, json, other].map(|took| millis(least(took)));
        let verdict = if failed {
            " (tpm2_eventlog failed)"
        } else {
            ""
        };
        println!(
            "    {name:<8} {tables:>9.1} ms {json:>18.1} ms {other:>14.1} ms {:>6.1}x{verdict}",
            other / tables
        );
    }
}

/// The most memory of `attest log` on the largest log. The child waits for its output to be
/// taken, so that it can be asked to its end.
fn memory(attest: &Path, files: &[(&str, PathBuf)]) {
    let (name, file) = files.last().expect("a log");
    for more in [None, Some("--json")] {
        let mut command = Command::new(attest);
        command
            .arg("log")
            .args(more)
            .arg(file)
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("attest to start");
        let mut out = child.stdout.take().expect("its output");
        let status = format!("/proc/{}/status", child.id());
        let (mut most, mut buffer) = (0.0_f64, vec![0; 64 << 10]);
        while out.read(&mut buffer).expect("its output") > 0 {
            most = most.max(high_water(&status).unwrap_or(0.0));
        }
        assert!(child.wait().expect("its end").success());
        let shown = more.unwrap_or("tables");
        println!(
            "  memory of attest log on {name}, {shown}: {:.1} MiB at most",
            most / 1024.0
        );
    }
}

/// `VmHWM` in KiB; `None` where the system has no such file.
fn high_water(status: &str) -> Option<f64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn beside_checkquote(attest: &Path, key: &Path) {
    if !is_there("tpm2_checkquote") {
        println!("  tpm2_checkquote is not installed: nothing to compare with");
        return;
    }
    let file = |name: &str| key.join(name);
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut own = Command::new(attest);
        own.args(["quote", "--nonce", "00112233", "--attest"])
            .arg(file("attest"));
        own.arg("--signature")
            .arg(file("signature"))
            .arg("--key")
            .arg(file("public"));
        let (took, success) = run(&mut own);
        assert!(success, "attest quote does not accept a genuine quote");
        ours.push(took);
        let mut theirs = Command::new("tpm2_checkquote");
        theirs
            .arg("-u")
            .arg(file("public"))
            .arg("-m")
            .arg(file("attest"));
        theirs
            .arg("-s")
            .arg(file("signature"))
            .args(["-g", "sha256", "-q", "00112233"]);
        let (took, success) = run(&mut theirs);
        assert!(success, "tpm2_checkquote does not accept a genuine quote");
        other.push(took);
    }
    let [ours, other] = [ours, other].map(|took| millis(least(took)));
    let ratio = other / ours;
    println!(
        "  one P-256 quote: attest quote {ours:.1} ms, tpm2_checkquote {other:.1} ms, {ratio:.1}x"
    );
}

fn is_there(program: &str) -> bool {
    let version = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> (Duration, bool) {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().expect("the program to start");
    (began.elapsed(), status.success())
}

fn lowest(mut measure: impl FnMut() -> Duration) -> Duration {
    least((0..ROUNDS).map(|_| measure()).collect())
}

/// What else the machine does only adds to a time: the least is the nearest to the program's own.
fn least(took: Vec<Duration>) -> Duration {
    took.into_iter().min().unwrap_or_default()
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}
