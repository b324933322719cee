//! `agentd selftest`: it passes here, says the same each time, and stops where a
//! layer is missing.

use std::process::{Command, Output};

use super::ground::{AGENTD, ground};

fn selftest(flags: &[&str], more: &[&str]) -> Output {
    let pack = ground();
    // A range that no other test of this process has.
    let base = 2_000_000_000 + (std::process::id() % 30_000) * 70_000 + 66_000;
    Command::new(AGENTD)
        .args(flags)
        .args(["selftest", "--uid-count", "2000"])
        .args(["--uid-base", &base.to_string()])
        .arg("--pack")
        .arg(&pack.pack)
        .arg("--release-key")
        .arg(&pack.key)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn every_profile_passes_and_the_digest_is_the_same_each_time() {
    let output = selftest(&[], &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let profiles = found["profiles"].as_object().unwrap();
    let names: Vec<&str> = casemate_agentd::sandbox::Profile::names().collect();
    // And agentd's own supervisor.
    assert_eq!(profiles.len(), names.len() + 1);
    for name in names {
        assert!(profiles[name].as_object().unwrap().len() >= 22, "{name}");
        assert_eq!(profiles[name]["foreign-calls"], "signal 31", "{name}");
        assert_eq!(profiles[name]["group-limits"], "in force", "{name}");
    }
    let supervisor = profiles["supervisor"].as_object().unwrap();
    for (attempt, errno) in [
        ("agentd-itself", "errno 13"),
        ("execute", "errno 1"),
        ("new-process", "errno 1"),
        ("internet-socket", "errno 1"),
        ("mount", "errno 1"),
    ] {
        assert_eq!(supervisor[attempt], errno, "{attempt}");
        assert_ne!(found["outside"][attempt], errno, "{attempt}");
    }
    let again = selftest(&[], &["--json"]);
    assert_eq!(again.stdout, output.stdout);

    let words = selftest(&[], &["--profile", "script"]);
    let text = String::from_utf8(words.stdout).unwrap();
    assert!(text.contains("every layer stands"), "{text}");
    assert!(text.contains("digest"), "{text}");
}

#[test]
fn a_profile_that_is_not_there_is_refused() {
    let output = selftest(&[], &["--profile", "nosuch"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("profile.unknown"), "{text}");
}

/// Each layer that the built-in attempts speak of.
#[cfg(feature = "weaken")]
#[test]
fn a_missing_layer_is_named_and_stops_it() {
    for (layer, words) in [
        ("calls", "the list of system calls is missing"),
        ("gate", "the gate before the system calls is missing"),
        ("landlock", "Landlock is missing"),
        ("scopes", "Landlock's scope of signals is missing"),
        ("processes", "the private /proc is missing"),
        ("capabilities", "the giving up of capabilities is missing"),
        ("rlimits", "the limits of a process is missing"),
        ("mount-flags", "the flags of mounts is missing"),
        ("descriptors", "the closing of descriptors is missing"),
        ("memory-files", "executing memory files"),
        (
            "control-group",
            "the limits of the control group is missing",
        ),
        (
            "supervisor-landlock",
            "in the profile supervisor Landlock is missing",
        ),
    ] {
        let output = selftest(&["--without", layer], &["--profile", "desktop"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{layer}: {text}");
        assert!(text.contains(words), "{layer}: {text}");
        assert!(text.contains("code selftest.layer"), "{layer}: {text}");
        assert!(output.stdout.is_empty(), "{layer}");
    }
}
