//! Measures the start of a sandbox with every layer beside bubblewrap's tightest
//! line and a bare spawn, in turns, in one run: `bench-sandbox [ROUNDS]`.
//!
//! Needs root, `bwrap` and the built desktop pack (var/packs, var/dev). Each figure
//! is from asking for `true` to knowing that it, and all around it, has ended.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a benchmark that fails should say where"
)]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use casemate_agentd::pack::{ReleaseKey, SignedPack};
use casemate_agentd::sandbox::enclosure::{Enclosure, Extra, PASSED};
use casemate_agentd::sandbox::{Bind, How, LaunchSpec, Narrowed, Right, Sandbox, launch, sys};

const TRUE: &str = "/brought/true";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("launch") => launch::main(),
        Some("inside") => inside(),
        rounds => outside(rounds.and_then(|text| text.parse().ok()).unwrap_or(200)),
    }
}

/// In agentd's rooms: starts what a byte asks for, answers nanoseconds.
fn inside() -> ExitCode {
    let mut outer = UnixStream::from(sys::adopt(PASSED).unwrap());
    let mut asked = [0];
    while outer.read_exact(&mut asked).is_ok() {
        let started = Instant::now();
        match asked {
            // As agentd does when it serves: one job's launchers stand ready.
            [b'r'] => Sandbox::keep_ready(3),
            [b'1'] => drop(start("script", 1)),
            _ => {
                // A job's three, all up before the first is ended.
                let _three = ["desktop", "script", "hands"].map(|profile| start(profile, 1));
            }
        }
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap();
        outer.write_all(&nanos.to_be_bytes()).unwrap();
    }
    ExitCode::SUCCESS
}

fn start(profile: &str, job: u32) -> casemate_agentd::sandbox::Running {
    let place = ["desktop", "script", "hands"]
        .iter()
        .position(|name| *name == profile);
    let running = Sandbox::spawn(LaunchSpec {
        egress: false,
        profile: profile.into(),
        name: format!("bench-{profile}"),
        uid: 1000 + job * 8 + u32::try_from(place.unwrap()).unwrap(),
        root: "/packs/desktop".into(),
        binds: vec![Bind {
            from: TRUE.into(),
            at: "/agent/true".into(),
            right: Right::Execute,
        }],
        argv: vec!["/agent/true".into()],
        environment: Vec::new(),
        passed: None,
        limits: Narrowed::default(),
    })
    .unwrap();
    assert_eq!(running.wait().how, How::Exited(0));
    running
}

fn outside(rounds: usize) -> ExitCode {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let key = ReleaseKey::read(Path::new("var/dev/release.pub")).unwrap();
    let verifying = Instant::now();
    let verified = SignedPack::read(Path::new("var/packs/desktop.pack"), &key)
        .unwrap()
        .verify()
        .unwrap();
    let size = std::fs::metadata("var/packs/desktop.erofs").unwrap().len();
    let took = verifying.elapsed();
    println!(
        "pack verified           {} MiB in {} ms",
        size >> 20,
        took.as_millis()
    );
    let enclosure = Enclosure {
        egress: None,
        packs: vec![verified.mount().unwrap()],
        programs: None,
        extra: vec![Extra::read_only(
            PathBuf::from("/usr/bin/true"),
            TRUE.into(),
        )],
        uid_base: 900_000,
        uid_count: 4096,
        passed: Some(OwnedFd::from(theirs)),
        arguments: vec!["inside".into()],
    };
    // The rooms' outer side waits; it is single-threaded, so it is a process.
    match sys::clone_process(0).unwrap() {
        sys::Side::Child => {
            drop(ours);
            return match enclosure.run() {
                Ok(How::Exited(0)) => ExitCode::SUCCESS,
                other => {
                    println!("the rooms ended: {other:?}");
                    ExitCode::FAILURE
                }
            };
        }
        sys::Side::Parent(_) => drop(enclosure),
    }
    let mut asking = |what: &[u8; 1]| {
        ours.write_all(what).unwrap();
        let mut nanos = [0; 8];
        ours.read_exact(&mut nanos).unwrap();
        Duration::from_nanos(u64::from_be_bytes(nanos))
    };
    let mut all = [(); 6].map(|()| Vec::with_capacity(rounds));
    for _ in 0..rounds + 5 {
        all[2].push(asking(b"1"));
    }
    asking(b"r");
    for _ in 0..rounds + 5 {
        let [bare, bwrap, _, one, bwrap3, three] = &mut all;
        bare.push(timed(|| spawn(Command::new("/usr/bin/true"))));
        bwrap.push(timed(|| spawn(tight())));
        one.push(asking(b"1"));
        bwrap3.push(timed(|| (0..3).for_each(|_| spawn(tight()))));
        three.push(asking(b"3"));
    }
    let names = [
        "bare spawn",
        "bwrap, tightest line",
        "sandbox, none ready",
        "sandbox, every layer",
        "bwrap three times",
        "a job's three sandboxes",
    ];
    let figures = all.map(|times| percentiles(times.into_iter().skip(5).collect()));
    for (name, (p50, p99)) in names.iter().zip(figures) {
        println!("{name:<24}p50 {:>7.2} ms  p99 {:>7.2} ms", ms(p50), ms(p99));
    }
    let [_, bwrap, _, one, bwrap3, three] = figures;
    println!(
        "sandbox / bwrap         p50 {:>7.2}     p99 {:>7.2}",
        ratio(one.0, bwrap.0),
        ratio(one.1, bwrap.1)
    );
    println!(
        "three / bwrap x3        p50 {:>7.2}     p99 {:>7.2}",
        ratio(three.0, bwrap3.0),
        ratio(three.1, bwrap3.1)
    );
    ExitCode::SUCCESS
}

/// Bubblewrap as tight as its options go; it has no Landlock, no control groups, no
/// limits on its file systems' inodes and, here, no system call filter.
fn tight() -> Command {
    let mut command = Command::new("bwrap");
    command
        .args([
            "--unshare-all",
            "--unshare-user",
            "--disable-userns",
            "--die-with-parent",
            "--new-session",
        ])
        .args([
            "--clearenv",
            "--cap-drop",
            "ALL",
            "--uid",
            "1000",
            "--gid",
            "1000",
        ])
        .args(["--hostname", "desk"])
        .args([
            "--ro-bind",
            "/usr",
            "/usr",
            "--symlink",
            "usr/lib",
            "/lib",
            "--symlink",
            "usr/lib64",
            "/lib64",
        ])
        .args([
            "--ro-bind",
            "/etc",
            "/etc",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ])
        .args(["--size", "1048576", "--tmpfs", "/tmp", "--dir", "/agent"])
        .args([
            "--ro-bind",
            "/usr/bin/true",
            "/agent/true",
            "--remount-ro",
            "/",
            "--",
            "/agent/true",
        ]);
    command
}

fn spawn(mut command: Command) {
    let status = command
        .env_clear()
        .env("PATH", "/usr/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("bwrap (package bubblewrap) is needed");
    assert!(status.success(), "{command:?}: {status}");
}

fn timed(what: impl FnOnce()) -> Duration {
    let started = Instant::now();
    what();
    started.elapsed()
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get((times.len() * part / 100).min(times.len() - 1))
            .copied()
    };
    (at(50).unwrap(), at(99).unwrap())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
