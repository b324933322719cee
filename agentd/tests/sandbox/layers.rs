//! Attempts, one table: what happens outside, and in each profile.

use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::ExitStatusExt;

use super::ground::{exec, ground, inside, outside, verdict};

const OK: &str = "ok";
const EPERM: &str = "errno 1";
const ENOENT: &str = "errno 2";
const EAGAIN: &str = "errno 11";
const EACCES: &str = "errno 13";
const EINVAL: &str = "errno 22";
const EMFILE: &str = "errno 24";
const ENOSPC: &str = "errno 28";
const EROFS: &str = "errno 30";
const ENOSYS: &str = "errno 38";
const ECONNREFUSED: &str = "errno 111";

/// Attempt, then what must come of it outside, in `desktop`, and in `script`.
/// Outside, "reached" is any answer but EPERM: the call reached the kernel, which
/// refused its deliberately senseless arguments.
const REACHED: &str = "reached";
/// Not made there: it needs what the profile does not have even to begin.
const NO: &str = "not made";
const ATTEMPTS: &[(&str, &str, &str, &str)] = &[
    ("nothing", OK, OK, OK),
    // No socket but Unix ones, and in script none at all.
    ("socket-inet", OK, EPERM, EPERM),
    ("socket-inet-datagram", OK, EPERM, EPERM),
    ("socket-inet6", OK, EPERM, EPERM),
    ("socket-mptcp", OK, EPERM, EPERM),
    ("socket-vsock", OK, EPERM, EPERM),
    ("socket-netlink", OK, EPERM, EPERM),
    ("socket-packet", OK, EPERM, EPERM),
    ("socket-family-high-bits", OK, EPERM, EPERM),
    ("socket-unix", OK, OK, EPERM),
    // The network namespace has no abstract socket of the host, the tree no path.
    ("connect-abstract", OK, ECONNREFUSED, EPERM),
    ("connect-host-path", OK, ENOENT, EPERM),
    // No namespace, no mount.
    ("unshare-user", OK, EPERM, EPERM),
    ("unshare-net", OK, EPERM, EPERM),
    ("clone-new-user", OK, EPERM, EPERM),
    ("clone3", OK, ENOSYS, ENOSYS),
    ("setns", OK, EPERM, EPERM),
    ("mount", OK, EPERM, EPERM),
    ("umount-proc", OK, EPERM, EPERM),
    ("remount-root", OK, EPERM, EPERM),
    ("fsopen", OK, EPERM, EPERM),
    ("chroot", OK, EPERM, EPERM),
    // Kernel surface that is not there.
    ("io-uring", OK, EPERM, EPERM),
    ("bpf", REACHED, EPERM, EPERM),
    ("perf-event", REACHED, EPERM, EPERM),
    ("userfaultfd", OK, EPERM, EPERM),
    ("add-key", OK, EPERM, EPERM),
    ("keyctl", OK, EPERM, EPERM),
    ("ptrace", OK, EPERM, EPERM),
    ("process-vm", REACHED, EPERM, EPERM),
    ("pidfd-getfd", REACHED, EPERM, EPERM),
    ("personality", OK, EPERM, EPERM),
    ("handle", REACHED, EPERM, EPERM),
    ("memfd-secret", REACHED, EPERM, EPERM),
    ("message-queue", REACHED, EPERM, EPERM),
    ("set-seccomp", REACHED, EPERM, EPERM),
    // Terminals.
    ("tiocsti", REACHED, EPERM, EPERM),
    ("tiocsti-high-bits", REACHED, EPERM, EPERM),
    ("tioclinux", REACHED, EPERM, EPERM),
    ("terminal", OK, ENOENT, ENOENT),
    // Files: what is not in the tree, what is and may not be used.
    ("read-host", OK, ENOENT, ENOENT),
    ("read-pack", OK, OK, OK),
    ("list-root", OK, EACCES, EACCES),
    ("write-usr", OK, EROFS, EROFS),
    ("write-root", OK, EROFS, EROFS),
    ("write-dev", OK, EROFS, EROFS),
    ("write-tmp", OK, OK, OK),
    ("device-node", OK, EACCES, EPERM),
    // Nothing that may be written may be executed.
    ("execute-tmp", OK, EACCES, NO),
    ("execute-shm", OK, EACCES, NO),
    ("execute-memory", OK, EACCES, EPERM),
    ("map-tmp-executable", OK, EPERM, EPERM),
    ("execute-other", ENOENT, OK, EACCES),
    // Limits.
    ("raise-limit", OK, EPERM, EPERM),
    ("open-many", OK, EMFILE, EMFILE),
    ("fill-bytes", OK, ENOSPC, NO),
    ("fill-inodes", OK, ENOSPC, NO),
    // Processes.
    ("fork", OK, OK, EPERM),
    ("thread", OK, OK, OK),
    ("kill-init", OK, EPERM, EPERM),
    ("see-init", OK, ENOENT, ENOENT),
    ("init-memory", REACHED, ENOENT, ENOENT),
    ("set-uid-0", OK, EINVAL, EPERM),
];

#[test]
fn each_attempt_works_outside_and_fails_inside_with_its_errno() {
    // What two attempts want to reach on the host.
    let path = "/tmp/casemate-probe.sock";
    let _old = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).unwrap();
    let address = <SocketAddr as SocketAddrExt>::from_abstract_name("casemate-probe").unwrap();
    let _abstract = UnixListener::bind_addr(&address).unwrap();

    let names: Vec<&str> = ATTEMPTS.iter().map(|(name, ..)| *name).collect();
    let made = ATTEMPTS.iter().filter(|(.., in_script)| *in_script != NO);
    let in_script: Vec<&str> = made.map(|(name, ..)| *name).collect();
    let control = outside(&names);
    let desktop = inside("desktop", &[], &names);
    let script = inside("script", &[], &in_script);
    drop(listener);
    std::fs::remove_file(path).unwrap();

    let mut wrong = Vec::new();
    for (name, outside, in_desktop, in_script) in ATTEMPTS {
        for (place, output, expected) in [
            ("outside", &control, outside),
            ("desktop", &desktop, in_desktop),
            ("script", &script, in_script),
        ] {
            if *expected == NO {
                continue;
            }
            let found = verdict(output, name);
            let fits = if *expected == REACHED {
                found != EPERM
            } else {
                found == *expected
            };
            if !fits {
                wrong.push(format!("{name} {place}: {found}, not {expected}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "\n{}\n{}",
        wrong.join("\n"),
        String::from_utf8_lossy(&desktop.stderr)
    );
}

#[test]
fn a_call_of_a_foreign_table_ends_the_process() {
    for attempt in ["x32", "int80"] {
        let control = outside(&[attempt]);
        assert_eq!(control.status.code(), Some(0), "{control:?}");
        for profile in ["desktop", "script", "hands", "strict"] {
            let output = inside(profile, &[], &[attempt]);
            assert_eq!(
                output.status.code(),
                Some(128 + libc::SIGSYS),
                "{attempt} {profile}: {output:?}"
            );
        }
    }
    assert_eq!(verdict(&outside(&["int80"]), "int80"), OK);
}

#[test]
fn a_program_is_nobody_and_inherits_nothing() {
    // A descriptor that leaks into agentd itself, as from a careless parent.
    let leak = std::fs::File::open("/").unwrap();
    let fd = leak.as_raw_fd();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let output = exec(ground(), "script")
        .args([
            "--env",
            "ONLY=this",
            "--",
            "/agent/probe",
            "descriptors",
            "environment",
            "identity",
        ])
        .env("SECRET", "of the host")
        .output()
        .unwrap();
    let control = outside(&["descriptors"]);
    assert!(
        String::from_utf8_lossy(&control.stdout).contains(&format!(", {fd}")),
        "{control:?}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    for line in [
        "open [0, 1, 2]",
        "environment [(\"ONLY\", \"this\")]",
        "status Pid: 2",
        "status PPid: 1",
        "status Uid: 1000 1000 1000 1000",
        "status Gid: 1000 1000 1000 1000",
        "status Groups:",
        "status CapInh: 0000000000000000",
        "status CapPrm: 0000000000000000",
        "status CapEff: 0000000000000000",
        "status CapBnd: 0000000000000000",
        "status CapAmb: 0000000000000000",
        "status NoNewPrivs: 1",
        "status Seccomp: 2",
        "core 0",
        "session 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing in\n{text}"
        );
    }
}

#[test]
fn a_fork_bomb_meets_its_limit() {
    assert_eq!(verdict(&outside(&["fork-many"]), "fork-many"), OK);
    let output = inside("desktop", &["--limit", "pids=20"], &["fork-many"]);
    assert_eq!(verdict(&output, "fork-many"), EAGAIN);
    let forked: u32 = verdict(&output, "forked").parse().unwrap();
    // The launcher, init and the probe are in the group as well.
    assert_eq!(forked, 20 - 3, "{output:?}");
}

#[test]
fn memory_ends_at_its_limit() {
    assert_eq!(verdict(&outside(&["allocate"]), "allocate"), OK);
    let output = inside("desktop", &["--limit", "memory=67108864"], &["allocate"]);
    assert_eq!(
        output.status.code(),
        Some(128 + libc::SIGKILL),
        "{output:?}"
    );
    let account = String::from_utf8_lossy(&output.stderr);
    assert!(account.contains("1 ended at the memory limit"), "{account}");
    assert!(output.status.signal().is_none());
}

#[test]
fn each_profile_starts_and_none_takes_more_than_it_has() {
    for profile in ["desktop", "hands", "script", "strict"] {
        let output = inside(profile, &[], &["nothing", "thread"]);
        assert_eq!(output.status.code(), Some(0), "{profile}: {output:?}");
    }
    for (flags, code) in [
        (vec!["--bind-ro", "/etc=/etc"], "sandbox.order"),
        (vec!["--bind-ro", "/etc=/agent/../etc"], "sandbox.order"),
        (vec!["--bind-ro", "/etc=/workspace"], "sandbox.order"),
    ] {
        let output = inside("script", &flags, &["nothing"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{flags:?}: {output:?}");
        assert!(text.contains(code), "{flags:?}: {text}");
        assert!(output.stdout.is_empty(), "it ran: {output:?}");
    }
}

#[test]
fn a_program_that_cannot_start_is_a_refusal_with_its_code() {
    for (profile, program) in [
        ("script", "/usr/bin/other"),
        ("desktop", "/usr/bin/nosuch"),
        ("desktop", "/etc/passwd"),
    ] {
        let output = exec(ground(), profile)
            .args(["--", program])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{program}: {output:?}");
        assert!(text.contains("code sandbox.exec"), "{program}: {text}");
    }
    let output = inside("nosuch", &[], &["nothing"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("code profile.unknown"),
        "{output:?}"
    );
}
