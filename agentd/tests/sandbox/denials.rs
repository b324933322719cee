//! Denials, explained: each layer's sentence, hostile names, a flood, and the reader
//! attacked from inside.

#![allow(
    unsafe_code,
    reason = "ptrace: the reader is made to do what an attacker in it would"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::ground::{exec, ground, inside, outside, verdict};

/// Runs attempts and returns what was reported as denied.
fn reported(profile: &str, flags: &[&str], attempts: &[&str]) -> Value {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("report.json");
    let output = exec(ground(), profile)
        .args(flags)
        .arg("--json")
        .arg(&file)
        .args(["--", "/agent/probe"])
        .args(attempts)
        .output()
        .unwrap();
    let text = fs::read(&file).unwrap_or_else(|_| panic!("{output:?}"));
    serde_json::from_slice(&text).unwrap()
}

fn sentences(report: &Value) -> Vec<String> {
    let denials = report["denials"].as_array();
    let denials = denials.unwrap_or_else(|| panic!("nobody watched: {report}"));
    let one = |denial: &Value| denial["sentence"].as_str().unwrap().to_owned();
    denials.iter().map(one).collect()
}

/// Demands exactly one sentence with all parts.
fn demand(report: &Value, parts: &[&str]) {
    let all = sentences(report);
    let fits = |one: &&String| parts.iter().all(|part| one.contains(part));
    assert_eq!(
        all.iter().filter(fits).count(),
        1,
        "{parts:?} in {report:#}"
    );
}

#[test]
fn each_layer_says_what_it_held_and_what_would_allow_it() {
    assert_eq!(verdict(&outside(&["list-root"]), "list-root"), "ok");
    let report = reported(
        "desktop",
        &[],
        &["list-root", "write-usr", "kill-init", "bpf", "execute-tmp"],
    );
    demand(
        &report,
        &["probe (exec) wanted to read /: ", "layer landlock"],
    );
    demand(
        &report,
        &["write /usr/", "layer mount-flags", "No rule can allow it."],
    );
    demand(&report, &["signal to the process", "layer scopes"]);
    demand(&report, &["system call bpf: ", "layer calls", "No rule"]);
    demand(
        &report,
        &["execute /tmp/casemate-copy", "No rule can allow it."],
    );
    assert_eq!(
        report["denials_missing"],
        serde_json::json!([]),
        "{report:#}"
    );
    let report = reported("desktop", &["--limit", "pids=20"], &["fork-many"]);
    demand(
        &report,
        &[
            "start one more process or thread: ",
            "layer control-group, the limit of 20 processes was reached",
            "a higher pids below [limits] in the profile desktop",
        ],
    );
    let report = reported("script", &[], &["socket-unix"]);
    demand(
        &report,
        &["system call socket: ", "\"unix-client\"", "profile script"],
    );
    let report = reported("desktop", &[], &["x32"]);
    demand(&report, &["layer gate", "which ended it"]);
    let report = reported(
        "desktop",
        &["--limit", "inodes=50"],
        &["fill-workspace-inodes"],
    );
    demand(
        &report,
        &["/workspace", "layer workspace", "workspace_inodes"],
    );
}

#[test]
fn a_name_is_told_as_it_is_and_cannot_pass_for_a_record() {
    let names = super::ground::UNGRANTED.map(|name| format!("read:{name}"));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let report = reported("desktop", &[], &names);
    for shown in [
        "read /srv/plain: ",
        "read /srv/a b: ",
        "read /srv/a\\nb: ",
        "read /srv/x\" domain=1 blockers=fs.execute path=\"/etc/shadow: ",
    ] {
        demand(
            &report,
            &[shown, "layer landlock", "the profile desktop gives nothing"],
        );
    }
    assert_eq!(sentences(&report).len(), 4, "{report:#}");
}

#[test]
fn a_flood_is_bounded_and_said_to_be_incomplete_or_counted_whole() {
    let report = reported("desktop", &[], &["read-flood"]);
    let denials = report["denials"].as_array().unwrap();
    let seen: u64 = denials
        .iter()
        .map(|one| one["count"].as_u64().unwrap())
        .sum();
    let missing = report["denials_missing"].to_string();
    assert!((3..=6).contains(&denials.len()), "{report:#}");
    // What was not seen one by one is counted by the kernel, or missed by its number.
    assert!(
        seen >= 100_000 || missing.contains("more denials") || missing.contains("lost"),
        "{report:#}"
    );
}

#[test]
fn nothing_denied_is_reported_as_nothing() {
    let report = reported("desktop", &[], &["nothing"]);
    assert_eq!(report["denials"], serde_json::json!([]), "{report:#}");
    assert_eq!(report["denials_missing"], serde_json::json!([]));
}

#[test]
fn a_learned_profile_is_narrower_and_a_second_run_under_it_is_denied_nothing() {
    let place = tempfile::tempdir().unwrap();
    let learned = place.path().join("learned.toml");
    let run = |flags: &[&str]| {
        exec(ground(), "desktop")
            .args(flags)
            .args(["--", "/usr/bin/other", "read-pack", "nothing"])
            .output()
            .unwrap()
    };
    let first = run(&["--learn", learned.to_str().unwrap()]);
    assert_eq!(verdict(&first, "read-pack"), "ok", "{first:?}");
    let text = fs::read_to_string(&learned).unwrap();
    assert!(text.contains("\"/usr/bin/other\" = \"execute\""), "{text}");
    assert!(text.contains("\"/etc/passwd\" = \"read\""), "{text}");
    assert!(!text.contains("\"/usr\" ="), "{text}");
    let report = place.path().join("report.json");
    let narrowed = [
        "--narrow",
        learned.to_str().unwrap(),
        "--json",
        report.to_str().unwrap(),
    ];
    let second = run(&narrowed);
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    assert_eq!(verdict(&second, "read-pack"), "ok", "{second:?}");
    let told: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(told["denials"], serde_json::json!([]), "{told:#}");
    // It is narrower: what the first run did not do is denied now.
    let other = exec(ground(), "desktop")
        .args(narrowed)
        .args([
            "--",
            "/usr/bin/other",
            "read:/etc/group-that-is-not",
            "list-root",
        ])
        .output()
        .unwrap();
    assert_eq!(verdict(&other, "list-root"), "errno 13", "{other:?}");
}

/// A command that runs until it is dropped, and the audit reader beside it.
struct Watched {
    command: Child,
    reader: i32,
}

impl Watched {
    fn start() -> Self {
        let command = exec(ground(), "desktop")
            .args(["--", "/agent/probe", "hold"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let parent = command.id();
        let reader = until(|| {
            children(parent).into_iter().find(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let named = line.windows(12).any(|part| part == b"audit-reader");
                // Confined, which it is last of all.
                named && status(*pid, "Seccomp_filters:") == "2"
            })
        });
        Self { command, reader }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _gone = self.command.kill();
        let _gone = self.command.wait();
    }
}

fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(std::time::Instant::now() < end, "it did not come");
        std::thread::yield_now();
    }
}

fn children(parent: u32) -> Vec<i32> {
    let file = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

fn status(pid: i32, key: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn the_reader_has_one_capability_and_two_descriptors() {
    let watched = Watched::start();
    let reader = watched.reader;
    // CAP_AUDIT_READ is number 37.
    let one = format!("{:016x}", 1u64 << 37);
    for (key, value) in [
        ("CapInh:", "0000000000000000"),
        ("CapPrm:", one.as_str()),
        ("CapEff:", one.as_str()),
        ("CapBnd:", one.as_str()),
        ("CapAmb:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
        ("Groups:", ""),
    ] {
        assert_eq!(status(reader, key), value, "{key}");
    }
    let uid = status(reader, "Uid:");
    let uids: Vec<&str> = uid.split_whitespace().collect();
    assert!(
        uids.iter().all(|one| *one == uids[0] && *one != "0"),
        "{uid}"
    );
    let open: Vec<PathBuf> = fs::read_dir(format!("/proc/{reader}/fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .collect();
    let sockets = open
        .iter()
        .filter(|to| to.to_string_lossy().starts_with("socket:"));
    assert_eq!(sockets.count(), 3, "{open:?}");
    let rest = open
        .iter()
        .filter(|to| !to.to_string_lossy().starts_with("socket:"));
    assert!(
        rest.clone().all(|to| to.as_os_str() == "/dev/null"),
        "{open:?}"
    );
}

#[test]
fn whoever_takes_the_reader_over_can_make_no_other_call() {
    // The way in works: a call that is allowed is made.
    let watched = Watched::start();
    let made = inject(watched.reader, libc::SYS_getppid);
    assert_eq!(made, Made::Returned(i64::from(watched.command.id())));
    drop(watched);
    for call in [
        libc::SYS_openat,
        libc::SYS_socket,
        libc::SYS_bind,
        libc::SYS_connect,
        libc::SYS_execve,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_kill,
        libc::SYS_ptrace,
        libc::SYS_setuid,
        libc::SYS_capset,
        libc::SYS_memfd_create,
        libc::SYS_io_uring_setup,
        libc::SYS_prctl,
    ] {
        let watched = Watched::start();
        assert_eq!(
            inject(watched.reader, call),
            Made::Killed(libc::SIGSYS),
            "{call}"
        );
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Made {
    Returned(i64),
    Killed(i32),
}

/// Makes a process that waits in a system call make another one, all arguments 0.
fn inject(pid: i32, call: i64) -> Made {
    let wait = || {
        let mut status = 0;
        let flags = libc::__WALL;
        // SAFETY: waits for a process; `status` outlives the call.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, flags) }, pid);
        status
    };
    let ask = |request, address: usize, data: usize| {
        assert_ne!(
            // SAFETY: `data` is 0 or where `registers` are, which outlives the call.
            unsafe { libc::ptrace(request, pid, address, data) },
            -1,
            "{request}"
        );
    };
    ask(libc::PTRACE_SEIZE, 0, 0);
    // SAFETY: plain numbers, of which zero is one.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    loop {
        ask(libc::PTRACE_INTERRUPT, 0, 0);
        wait();
        ask(libc::PTRACE_GETREGS, 0, &raw mut registers as usize);
        // The kernel's mark of a process that is in no system call.
        if registers.orig_rax != u64::MAX {
            break;
        }
        ask(libc::PTRACE_CONT, 0, 0);
        std::thread::yield_now();
    }
    // It waits just behind a syscall instruction, which is two bytes long.
    registers.rip -= 2;
    registers.rax = call.cast_unsigned();
    registers.orig_rax = u64::MAX;
    for argument in [
        &mut registers.rdi,
        &mut registers.rsi,
        &mut registers.rdx,
        &mut registers.r10,
        &mut registers.r8,
        &mut registers.r9,
    ] {
        *argument = 0;
    }
    ask(libc::PTRACE_SETREGS, 0, &raw mut registers as usize);
    let mut status = loop {
        ask(libc::PTRACE_SINGLESTEP, 0, 0);
        let status = wait();
        // A stop that the kernel makes for the tracer comes before the step.
        if !libc::WIFSTOPPED(status) || status >> 16 == 0 {
            break status;
        }
    };
    if libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSYS {
        // Whoever traces is shown the signal that kills before it does.
        ask(libc::PTRACE_CONT, 0, usize::try_from(libc::SIGSYS).unwrap());
        status = wait();
    }
    if libc::WIFSIGNALED(status) {
        return Made::Killed(libc::WTERMSIG(status));
    }
    ask(libc::PTRACE_GETREGS, 0, &raw mut registers as usize);
    ask(libc::PTRACE_DETACH, 0, 0);
    Made::Returned(registers.rax.cast_signed())
}

#[test]
fn a_text_report_says_it_as_well() {
    let output = inside("desktop", &[], &["list-root"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("agentd: probe (exec) wanted to read /: refused by the layer landlock"),
        "{text}"
    );
}
