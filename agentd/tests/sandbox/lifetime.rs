//! What is left when a sandbox, agentd or its parent ends: nothing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ground::{exec_at, ground, inside};

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::yield_now();
    }
}

/// Processes of the host whose real uid is in the range.
fn processes(base: u32) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok())
        .filter_map(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("Uid:"))?
                .to_owned();
            line.split_whitespace().next()?.parse::<u32>().ok()
        })
        .filter(|uid| (base..base + 2000).contains(uid))
        .count()
}

fn groups(pid: u32) -> Vec<String> {
    ["memory", "pids", "cpu", "blkio"]
        .map(|controller| {
            format!(
                "/sys/fs/cgroup/{controller}/casemate-agentd-{}-{pid}",
                space()
            )
        })
        .into_iter()
        .filter(|path| Path::new(path).exists())
        .collect()
}

/// A holding sandbox at a range of its own.
fn hold(base: u32) -> Child {
    let mut command: Command = exec_at(ground(), "desktop", base);
    let child = command
        .args(["--", "/usr/bin/other", "hold"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // agentd's PID 1 and itself, launcher, init, the program and its child.
    until("the sandbox holds", || processes(base) == 6);
    child
}

#[test]
fn nothing_is_left_after_a_run() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let before = fs::read_dir("/sys/fs/cgroup/pids").unwrap().count();
    let output = inside("desktop", &[], &["nothing"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    // Other tests run beside this one; their groups are named by living processes.
    until("no group of a dead agentd", || {
        fs::read_dir("/sys/fs/cgroup/pids").unwrap().count() <= before + 16
    });
}

#[test]
fn killing_the_outer_agentd_ends_every_process_and_the_next_start_sweeps() {
    let base = 1_700_000;
    let mut child = hold(base);
    let pid = child.id();
    assert_eq!(groups(pid).len(), 4);
    child.kill().unwrap();
    child.wait().unwrap();
    until("every process is gone", || processes(base) == 0);
    let output = inside("script", &[], &["nothing"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    until("the next start removed its groups", || {
        groups(pid).is_empty() || !inside("script", &[], &["nothing"]).status.success()
    });
}

/// What the host's kernel says of a running sandbox's group.
#[test]
fn every_controller_has_its_limit() {
    let mut child = hold(1_720_000);
    let pid = child.id();
    let read = |controller: &str, file: &str| {
        let group = format!(
            "/sys/fs/cgroup/{controller}/casemate-agentd-{}-{pid}/exec",
            space()
        );
        fs::read_to_string(format!("{group}/{file}")).unwrap()
    };
    assert_eq!(read("memory", "memory.limit_in_bytes"), "1610612736\n");
    assert_eq!(read("pids", "pids.max"), "512\n");
    assert_eq!(read("cpu", "cpu.cfs_quota_us"), "400000\n");
    for file in ["read_bps_device", "write_bps_device"] {
        let limits = read("blkio", &format!("blkio.throttle.{file}"));
        assert!(limits.contains(" 536870912\n"), "{file}: {limits}");
    }
    let members = read("cpu", "cgroup.procs");
    for controller in ["memory", "pids", "blkio"] {
        assert_eq!(read(controller, "cgroup.procs"), members);
    }
    // Launcher, init, the program and its child.
    assert_eq!(members.lines().count(), 4);
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    child.wait().unwrap();
}

#[test]
fn a_terminated_agentd_takes_its_sandboxes_along_and_cleans_up() {
    let base = 1_710_000;
    let mut child = hold(base);
    let pid = child.id();
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(128 + libc::SIGTERM));
    assert_eq!(processes(base), 0);
    assert_eq!(groups(pid), Vec::<String>::new());
}

#[test]
fn output_goes_through_as_it_comes_and_each_to_its_own() {
    let output = inside("script", &[], &["chatter", "complain"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", output.status);
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 200_002);
    assert!(output.stdout.ends_with(b"chatter ok\ncomplain ok\n"));
    assert!(output.stderr.starts_with(b"a complaint\n"));
}

/// The number of this process-id namespace, by which agentd's groups are told apart.
fn space() -> String {
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap();
    space
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}
