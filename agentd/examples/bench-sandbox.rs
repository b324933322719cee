//! Measures the start of a sandbox with every layer beside bubblewrap's tightest
//! line and a bare spawn, in turns, in one run: `bench-sandbox [ROUNDS]`.
//!
//! Then eight at once, and what a system call and an open cost inside, beside the same
//! work on the same tree in agentd's rooms, where no layer is.
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
use casemate_agentd::sandbox::{
    Bind, Ending, How, LaunchSpec, Narrowed, Right, Running, Sandbox, launch, sys,
};

const TRUE: &str = "/brought/true";
const SELF: &str = "/brought/bench";
/// System calls of one measurement, and how often each file is opened.
const CALLS: usize = 2_000_000;
const OPENS: usize = 40;
/// Files of the tree that is read.
const FILES: usize = 2000;
/// Rounds of what is measured at once, and of what takes long.
const SHORT: usize = 5;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("launch") => launch::main(),
        Some("inside") => inside(),
        Some("calls") => worked(|| calls(arguments.next().unwrap().parse().unwrap())),
        Some("opens") => worked(|| opens("/usr/share", arguments.next().unwrap().parse().unwrap())),
        rounds => outside(rounds.and_then(|text| text.parse().ok()).unwrap_or(200)),
    }
}

/// In agentd's rooms: starts what a byte asks for, answers nanoseconds.
fn inside() -> ExitCode {
    let mut outer = UnixStream::from(sys::adopt(PASSED).unwrap());
    let mut asked = [0];
    while outer.read_exact(&mut asked).is_ok() {
        if let Some(time) = used(asked) {
            let nanos = u64::try_from(time.as_nanos()).unwrap();
            outer.write_all(&nanos.to_be_bytes()).unwrap();
            continue;
        }
        let started = Instant::now();
        match asked {
            // As agentd does when it serves: one job's launchers stand ready.
            [b'r'] => Sandbox::keep_ready(3),
            [b'1'] => drop(start("script", 1)),
            [b'8'] => {
                for nanos in eight() {
                    outer.write_all(&nanos.to_be_bytes()).unwrap();
                }
                continue;
            }
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

fn worked(work: impl FnOnce()) -> ExitCode {
    work();
    ExitCode::SUCCESS
}

/// System calls that do next to nothing.
fn calls(count: usize) {
    for _ in 0..count {
        std::hint::black_box(rustix::process::getppid());
    }
}

/// Opens and closes every file of a tree, a number of times.
fn opens(tree: &str, rounds: usize) {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(tree)];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = folder.read_dir().unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && files.len() < FILES {
                files.push(entry.path());
            }
        }
    }
    assert_eq!(files.len(), FILES);
    for _ in 0..rounds {
        for file in &files {
            drop(std::fs::File::open(file).unwrap());
        }
    }
}

/// Processor time of a piece of work, in the rooms or in a sandbox.
fn used(asked: [u8; 1]) -> Option<Duration> {
    Some(match asked {
        [b'c'] => bare(|| calls(CALLS)),
        [b'o'] => bare(|| opens("/packs/desktop/usr/share", OPENS)),
        [b'C'] => work("calls", CALLS),
        [b'k'] => work("calls", 0),
        [b'O'] => work("opens", OPENS),
        [b'p'] => work("opens", 0),
        _ => return None,
    })
}

fn bare(work: impl FnOnce()) -> Duration {
    let clock = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap(),
            u32::try_from(time.tv_nsec).unwrap(),
        )
    };
    let before = clock();
    work();
    clock() - before
}

/// This program's own work, in a sandbox with every layer.
fn work(what: &str, count: usize) -> Duration {
    let (_, ending) = start_program("desktop", 1, SELF, vec![what.into(), count.to_string()]);
    ending.user + ending.system
}

/// Eight jobs' scripts at the same moment: how long each took.
fn eight() -> Vec<u64> {
    let starts: Vec<_> = (1..=8)
        .map(|job| {
            std::thread::spawn(move || {
                let started = Instant::now();
                drop(start("script", job));
                u64::try_from(started.elapsed().as_nanos()).unwrap()
            })
        })
        .collect();
    starts.into_iter().map(|one| one.join().unwrap()).collect()
}

fn start(profile: &str, job: u32) -> (Running, Ending) {
    start_program(profile, job, TRUE, Vec::new())
}

fn start_program(
    profile: &str,
    job: u32,
    program: &str,
    arguments: Vec<String>,
) -> (Running, Ending) {
    let place = ["desktop", "script", "hands", "strict"]
        .iter()
        .position(|name| *name == profile);
    let running = Sandbox::spawn(LaunchSpec {
        egress: false,
        profile: profile.into(),
        name: format!("bench-{profile}-{job}"),
        uid: 1000 + job * 8 + u32::try_from(place.unwrap()).unwrap(),
        root: "/packs/desktop".into(),
        binds: vec![Bind {
            from: program.into(),
            at: "/agent/program".into(),
            right: Right::Execute,
        }],
        argv: [vec!["/agent/program".into()], arguments].concat(),
        environment: Vec::new(),
        passed: None,
        limits: Narrowed::default(),
    })
    .unwrap();
    let ending = running.wait();
    assert_eq!(ending.how, How::Exited(0));
    (running, ending)
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
        extra: vec![
            Extra::read_only(PathBuf::from("/usr/bin/true"), TRUE.into()),
            Extra::read_only(std::env::current_exe().unwrap(), SELF.into()),
        ],
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
    let mut eight = Vec::new();
    let mut bwrap8 = Vec::new();
    for _ in 0..rounds / 8 + SHORT {
        ours.write_all(b"8").unwrap();
        for _ in 0..8 {
            let mut nanos = [0; 8];
            ours.read_exact(&mut nanos).unwrap();
            eight.push(Duration::from_nanos(u64::from_be_bytes(nanos)));
        }
        let starts: Vec<_> = (0..8)
            .map(|_| std::thread::spawn(|| timed(|| spawn(tight()))))
            .collect();
        bwrap8.extend(starts.into_iter().map(|one| one.join().unwrap()));
    }
    let (bwrap8, eight) = (percentiles(bwrap8), percentiles(eight));
    for (name, (p50, p99)) in [("bwrap, eight at once", bwrap8), ("eight at once", eight)] {
        println!("{name:<24}p50 {:>7.2} ms  p99 {:>7.2} ms", ms(p50), ms(p99));
    }
    println!(
        "eight / bwrap eight     p50 {:>7.2}     p99 {:>7.2}",
        ratio(eight.0, bwrap8.0),
        ratio(eight.1, bwrap8.1)
    );
    // The least of some: what disturbs only adds.
    let mut least = |what: &[u8; 1]| {
        let mut asking = || {
            ours.write_all(what).unwrap();
            let mut nanos = [0; 8];
            ours.read_exact(&mut nanos).unwrap();
            Duration::from_nanos(u64::from_be_bytes(nanos))
        };
        (0..SHORT).map(|_| asking()).min().unwrap()
    };
    for (name, count, bare, inside, start) in [
        ("a system call", CALLS, b"c", b"C", b"k"),
        ("open and close", OPENS * FILES, b"o", b"O", b"p"),
    ] {
        let each =
            |time: Duration| time.as_secs_f64() * 1e9 / f64::from(u32::try_from(count).unwrap());
        let bare = each(least(bare));
        let inside = each(least(inside).saturating_sub(least(start)));
        println!(
            "{name:<24}bare {bare:>6.0} ns  inside {inside:>6.0} ns  ratio {:.2}",
            inside / bare
        );
    }
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
