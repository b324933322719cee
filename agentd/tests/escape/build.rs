//! What is built for tests cannot pass for what is shipped.

use std::path::Path;
use std::process::{Command, Output};

use casemate_agentd::sandbox::enclosure::Enclosure;

use super::ground::{AGENTD, ground};

/// In two halves, so that this file's own program is not marked by it.
const MARK: [&str; 2] = ["casemate-test", "-build"];

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_build_with_a_feature_for_tests_is_marked_and_does_not_serve() {
    let marked = cfg!(any(feature = "weaken", feature = "host-root"));
    let mark = MARK.concat();
    let version = Command::new(AGENTD).arg("--version").output().unwrap();
    assert_eq!(said(&version).contains(&mark), marked, "{version:?}");
    let bytes = std::fs::read(AGENTD).unwrap();
    let found = bytes
        .windows(mark.len())
        .any(|part| part == mark.as_bytes());
    assert_eq!(found, marked);

    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/check-shipped");
    let checked = Command::new(&check).arg(AGENTD).output().unwrap();
    let expected = if marked { 4 } else { 0 };
    assert_eq!(checked.status.code(), Some(expected), "{checked:?}");
    // What is not known is not let through.
    let unknown = Command::new(&check).arg("/nonexistent").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");

    let pack = ground();
    let entered = Command::new(AGENTD)
        .args(["enter", "--daemon", "/nonexistent", "--bin-dir", "/"])
        .arg("--pack")
        .arg(&pack.pack)
        .arg("--release-key")
        .arg(&pack.key)
        .output()
        .unwrap();
    let (code, exit) = if marked {
        ("agentd.test-build", 4)
    } else {
        ("agentd.no-daemon", 3)
    };
    assert_eq!(entered.status.code(), Some(exit), "{entered:?}");
    assert!(said(&entered).contains(code), "{entered:?}");
}

#[test]
fn rooms_that_could_not_be_made_leave_no_group() {
    let enclosure = Enclosure {
        egress: None,
        packs: Vec::new(),
        programs: Some("/nonexistent".into()),
        extra: Vec::new(),
        uid_base: 2_000_000_000,
        uid_count: 2000,
        passed: None,
        arguments: Vec::new(),
    };
    let refused = enclosure.run().unwrap_err();
    assert_eq!(refused.code.id, "sandbox.mount", "{refused}");
    let own = format!("-{}", std::process::id());
    for hierarchy in [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/pids",
    ] {
        for entry in std::fs::read_dir(hierarchy).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let left = name.starts_with("casemate-agentd-") && name.ends_with(&own);
            assert!(!left, "{hierarchy}/{name} is left");
        }
    }
}
