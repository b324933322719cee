//! Starting, refusing to start, and starting again.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::bed::{Bed, names};

#[test]
fn a_second_daemon_on_the_same_state_is_refused() {
    let bed = Bed::running();
    let second = bed.start_in_vain();
    assert_eq!(second.exit, 4, "{second:?}");
    assert!(second.err.contains("code state.locked;"), "{second:?}");
    // The first was not disturbed, its TPM included.
    let out = bed.path("enrolment");
    assert_eq!(
        bed.casemate(&["enrolment", "--out", out.to_str().unwrap()])
            .exit,
        0
    );
}

#[test]
fn the_state_of_another_tpm_is_refused() {
    let mut bed = Bed::running();
    bed.stop();
    let ours = bed.handover.try_clone().unwrap();
    bed.swap_tpm();
    // Another TPM's root opens nothing of this state.
    let other_root = bed.start_in_vain();
    assert_eq!(other_root.exit, 5, "{other_root:?}");
    assert!(
        other_root.err.contains("code state.other-key;"),
        "{other_root:?}"
    );
    // The right root with another TPM behind it.
    bed.handover = inherited(&ours);
    let other_tpm = bed.start_in_vain();
    assert_eq!(other_tpm.exit, 5, "{other_tpm:?}");
    assert!(other_tpm.err.contains("code tpm.other;"), "{other_tpm:?}");
    assert!(names(&bed.path("run")).is_empty(), "no socket was opened");
}

/// The same memory under a descriptor that a child inherits.
fn inherited(fd: &OwnedFd) -> OwnedFd {
    nix::unistd::dup(fd).unwrap()
}

#[test]
fn without_a_whole_sealed_handover_nothing_starts() {
    let mut bed = Bed::new();
    let memory = |bytes: &[u8]| {
        let fd = memfd_create(c"handover", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        File::from(fd.try_clone().unwrap())
            .write_all(bytes)
            .unwrap();
        inherited(&fd)
    };
    for (handover, why) in [
        (memory(b"garbage"), "can still be written"),
        (
            inherited(&File::open("/dev/null").unwrap().into()),
            "not sealed memory",
        ),
    ] {
        bed.handover = handover;
        let said = bed.start_in_vain();
        assert_eq!(said.exit, 2, "{said:?}");
        assert!(
            said.err.contains("code start.handover;") && said.err.contains(why),
            "{said:?}"
        );
    }
    assert!(!bed.path("state").exists());
}

#[test]
fn a_stopped_daemon_leaves_a_closed_and_vouched_for_state() {
    let mut bed = Bed::running();
    bed.add_workflow("greet", "fail");
    bed.stop();
    assert!(names(&bed.path("run")).is_empty());
    bed.start();
    let entries = bed.json(&["audit", "list"]);
    let kinds: Vec<&str> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    let closed = kinds
        .iter()
        .position(|kind| *kind == "state.closed")
        .unwrap();
    assert_eq!(kinds[closed - 1], "checkpoint", "{kinds:?}");
    let reopened = &entries[closed + 1];
    assert_eq!(reopened["text"], "state opened", "{kinds:?}");
}
