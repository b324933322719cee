//! Quote latency on a software TPM, ours beside `tpm2_quote` on the same TPM.
//!
//! `make bench`, or `cargo run -p casemate-device --example bench-quote`. Ours is a running
//! process with its key loaded; `tpm2_quote` is started anew for each quote, which is how a script
//! uses it, so its figure includes the start of a process and the opening of the TPM.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends at the first surprise"
)]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use casemate_attest::digest::Digest;
use casemate_attest::evidence::POLICY_PCRS;
use casemate_device::Tpm;

const ROUNDS: usize = 200;
const TOOL_ROUNDS: usize = 50;
const KEY: &str = "0x81010002";

/// A software TPM on two TCP ports of the loopback, as tpm2-tools reach it; ended when dropped.
struct Bench {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Bench {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_ports();
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--seccomp", "action=none"])
            .args(["--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", directory.path().display()))
            .arg("--server")
            .arg(format!("type=tcp,port={port},bindaddr=127.0.0.1"))
            .arg("--ctrl")
            .arg(format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1))
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("swtpm: {error}"));
        let bench = Self {
            child,
            port,
            directory,
        };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "swtpm is silent");
            std::thread::sleep(Duration::from_millis(10));
        }
        bench
    }

    fn tpm(&self) -> Tpm {
        Tpm::open(&format!("swtpm:host=127.0.0.1,port={}", self.port)).unwrap()
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let tcti = format!("swtpm:host=127.0.0.1,port={}", self.port);
        let done = Command::new(program)
            .current_dir(self.directory.path())
            .args(["-T", &tcti])
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program}: {errors}");
    }
}

/// Two neighbouring ports that nobody listens on.
fn free_ports() -> u16 {
    for _ in 0..64 {
        let first = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no two neighbouring ports are free");
}

fn measure(name: &str, rounds: usize, mut act: impl FnMut()) {
    act(); // the first may fill caches
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            act();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (rounds * percent / 100).min(rounds - 1);
        times.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    println!("{name:<58} {:>7.2} {:>7.2}  {rounds:>4}", at(50), at(95));
}

fn ours(bench: &Bench) {
    let tpm = bench.tpm();
    let qualifying = Digest::of(b"bench");
    let key = tpm.attestation_key().unwrap();
    measure("ours: read the registers and quote, P-256", ROUNDS, || {
        key.quote(&qualifying).unwrap();
    });
    drop(key);
    measure(
        "ours: make the key again, read, quote, flush",
        ROUNDS,
        || {
            tpm.attestation_key().unwrap().quote(&qualifying).unwrap();
        },
    );
}

fn theirs(bench: &Bench) {
    bench.tool(
        "tpm2_createprimary",
        &[
            "-C",
            "e",
            "-G",
            "ecc256:ecdsa-sha256:null",
            "-c",
            "ak.ctx",
            "-a",
            "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign",
        ],
    );
    bench.tool("tpm2_evictcontrol", &["-C", "o", "-c", "ak.ctx", KEY]);
    let registers: Vec<String> = POLICY_PCRS.iter().map(u8::to_string).collect();
    let selection = format!("sha256:{}", registers.join(","));
    let qualifying = Digest::of(b"bench").to_string();
    let quote = [
        "-c",
        KEY,
        "-l",
        &selection,
        "-q",
        &qualifying,
        "-m",
        "message",
        "-s",
        "signature",
        "-o",
        "pcrs",
        "-g",
        "sha256",
    ];
    measure(
        "tpm2_quote, process start included, P-256",
        TOOL_ROUNDS,
        || {
            bench.tool("tpm2_quote", &quote);
        },
    );
    assert!(Path::new(&bench.directory.path().join("message")).exists());
    measure(
        "a process that does nothing (/bin/true), for comparison",
        TOOL_ROUNDS,
        || {
            let done = Command::new("/bin/true").output().unwrap();
            assert!(done.status.success());
        },
    );
}

fn main() {
    let bench = Bench::start();
    println!(
        "Quote of {} registers on swtpm{:>29} {:>7} {:>5}",
        POLICY_PCRS.len(),
        "p50 ms",
        "p95 ms",
        "n"
    );
    ours(&bench);
    theirs(&bench);
}
