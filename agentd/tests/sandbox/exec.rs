//! `agentd exec` as an operator uses it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use super::ground::{AGENTD, PROBE, exec, ground, inside, verdict};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_commands_exit_code_is_passed_on_and_a_signal_is_128_more() {
    assert_eq!(inside("script", &[], &["leave"]).status.code(), Some(7));
    let crash = inside("script", &[], &["crash"]);
    assert_eq!(crash.status.code(), Some(128 + libc::SIGABRT));
}

#[test]
fn what_was_changed_in_the_workspace_comes_back_and_is_counted() {
    let place = tempfile::tempdir().unwrap();
    for name in ["kept", "gone"] {
        fs::write(place.path().join(name), name).unwrap();
    }
    let report = place.path().with_extension("json");
    let output = exec(ground(), "desktop")
        .arg("--workspace")
        .arg(place.path())
        .arg("--json")
        .arg(&report)
        .args(["--", "/agent/probe", "where", "edit"])
        .output()
        .unwrap();
    assert_eq!(verdict(&output, "edit"), "ok", "{output:?}");
    assert_eq!(verdict(&output, "directory"), "/workspace");
    let new = place.path().join("new");
    assert_eq!(fs::read(&new).unwrap(), b"written inside");
    assert_eq!(fs::metadata(&new).unwrap().uid(), 0);
    assert!(!place.path().join("gone").exists());
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["end"]["code"], 0, "{report}");
    assert_eq!(report["workspace"]["files_written"], 1);
    assert_eq!(report["workspace"]["bytes_written"], 14);
    assert_eq!(report["workspace"]["removed"], 1);
    assert!(report["used"]["memory_peak_bytes"].as_u64().unwrap() > 100_000);
    assert!(report["used"]["pids_peak"].as_u64().unwrap() >= 3);
    assert_eq!(text(&output.stderr), "");
    fs::remove_file(place.path().with_extension("json")).unwrap();
}

#[test]
fn a_workspace_that_may_only_be_read_stays_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("kept"), "kept").unwrap();
    let output = exec(ground(), "strict")
        .arg("--workspace")
        .arg(place.path())
        .args(["--", "/agent/probe", "edit"])
        .output()
        .unwrap();
    assert_eq!(verdict(&output, "edit"), "errno 30", "{output:?}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn the_workspace_is_limited_in_bytes_and_in_files() {
    for (attempt, flags) in [
        ("fill-workspace-bytes", ["--limit", "workspace=4M"]),
        ("fill-workspace-inodes", ["--limit", "inodes=1000"]),
    ] {
        let place = tempfile::tempdir().unwrap();
        let control = Command::new(PROBE)
            .current_dir(place.path())
            .arg(attempt)
            .output()
            .unwrap();
        assert_eq!(verdict(&control, attempt), "ok", "{control:?}");
        let output = inside("desktop", &flags, &[attempt]);
        assert_eq!(verdict(&output, attempt), "errno 28", "{output:?}");
    }
}

#[test]
fn a_command_that_takes_too_long_is_ended_and_so_is_one_that_is_interrupted() {
    let output = inside("script", &["--timeout", "1"], &["nap"]);
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert!(text(&output.stderr).contains("ended at its time limit"));
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("gone"), "").unwrap();
    fs::write(place.path().join("kept"), "").unwrap();
    // As a shell's `&` starts it: with the signal ignored, which is inherited.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]);
    let given = exec(ground(), "desktop");
    let child = command
        .arg(given.get_program())
        .args(given.get_args())
        .arg("--workspace")
        .arg(place.path())
        .args(["--", "/agent/probe", "edit", "nap"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let mut child = child;
    let mut seen = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut seen).unwrap();
    assert_eq!(seen, "edit ok\n");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGINT));
    assert!(
        place.path().join("new").exists(),
        "its work is brought back"
    );
}

#[test]
fn a_narrower_profile_grants_what_both_grant() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("narrow.toml");
    let shown = Command::new(AGENTD)
        .args(["profile", "show", "desktop"])
        .output()
        .unwrap();
    let desktop = text(&shown.stdout);
    let run = |narrow: String| {
        fs::write(&file, narrow).unwrap();
        exec(ground(), "desktop")
            .arg("--narrow")
            .arg(&file)
            .args(["--", "/agent/probe", "fork", "socket-unix", "write-tmp"])
            .output()
            .unwrap()
    };
    let same = run(desktop.clone());
    for attempt in ["fork", "socket-unix", "write-tmp"] {
        assert_eq!(verdict(&same, attempt), "ok", "{same:?}");
    }
    let less = desktop
        .replace("\"processes\", \"unix-client\", \"unix-server\", ", "")
        .replace("sockets = \"mounted\"", "sockets = \"none\"");
    let output = run(less);
    assert_eq!(verdict(&output, "fork"), "errno 1", "{output:?}");
    assert_eq!(verdict(&output, "socket-unix"), "errno 1");
    assert_eq!(verdict(&output, "write-tmp"), "ok");
    // More than the profile is not granted either.
    let script = exec(ground(), "script")
        .arg("--narrow")
        .arg(&file)
        .args(["--", "/agent/probe", "fork"])
        .output()
        .unwrap();
    assert_eq!(verdict(&script, "fork"), "errno 1", "{script:?}");
    let listed = desktop.replace("sockets = \"mounted\"", "sockets = [\"/run/desk\"]");
    let output = run(listed);
    if casemate_agentd::sandbox::sys::landlock_abi().unwrap() < 9 {
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        assert!(text(&output.stderr).contains("code profile.unenforceable"));
    }
    let output = run(format!("{desktop}\nnetwork = true\n"));
    assert!(
        text(&output.stderr).contains("code profile.invalid"),
        "{output:?}"
    );
}

#[test]
fn processor_time_is_limited() {
    // Two processors' worth of wishes, a tenth of one granted: two seconds by the
    // clock are then at most some tenths of work, whatever the machine does besides.
    let output = inside(
        "script",
        &["--limit", "cpu=10", "--json", "/dev/stderr"],
        &["work"],
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let used = report["used"]["user_us"].as_u64().unwrap();
    assert!(used < 1_000_000, "{report}");
}

#[test]
fn init_reaps_what_is_orphaned() {
    let output = inside("desktop", &["--limit", "pids=20"], &["orphans"]);
    assert_eq!(verdict(&output, "orphans"), "ok", "{output:?}");
}

#[test]
fn many_at_once_do_not_meet() {
    let children: Vec<_> = (0..6)
        .map(|_| {
            Command::new(AGENTD)
                .args(["exec", "--profile", "script", "--bind-ro"])
                .arg(format!("{PROBE}=/agent/probe"))
                .arg("--pack")
                .arg(&ground().pack)
                .arg("--release-key")
                .arg(&ground().key)
                .args(["--", "/agent/probe", "identity"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[cfg(feature = "host-root")]
#[test]
fn the_hosts_tree_is_a_root_that_can_be_read_where_the_profile_says() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    let secret = tempfile::tempdir_in("/opt").unwrap();
    fs::set_permissions(secret.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let secret = secret.path().join("secret");
    fs::write(&secret, "of the host").unwrap();
    let script = format!(
        "pwd; cat /etc/passwd >/dev/null && echo etc; echo mine > made; cat {}; \
         ls /root; echo x > /usr/planted; echo end",
        secret.display()
    );
    let output = Command::new(AGENTD)
        .args(["exec", "--host-root", "--profile", "desktop", "--workspace"])
        .arg(place.path())
        .args(["--", "/bin/sh", "-c", &script])
        .output()
        .unwrap();
    let own = place.path().display();
    assert_eq!(
        text(&output.stdout),
        format!("{own}\netc\nend\n"),
        "{output:?}"
    );
    assert_eq!(fs::read(place.path().join("made")).unwrap(), b"mine\n");
    assert!(!fs::exists("/usr/planted").unwrap());
}
