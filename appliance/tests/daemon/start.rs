//! Starting, refusing to start, and starting again.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::bed::agent::Agent;
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

#[test]
fn a_state_that_a_recovery_key_moved_to_another_tpm_goes_on() {
    let mut bed = Bed::running();
    bed.add_workflow("greet", "fail");
    bed.stop();
    bed.recover();
    for _ in 0..2 {
        bed.start();
        let workflows = bed.json(&["workflow", "list"]);
        assert_eq!(workflows[0]["name"], "greet", "{workflows}");
        bed.stop();
    }
    bed.start();
    let entries = bed.json(&["audit", "list"]);
    let moved: Vec<&str> = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "tpm.moved")
        .map(|entry| entry["text"].as_str().unwrap())
        .collect();
    assert_eq!(moved.len(), 1, "{entries}");
    assert!(moved[0].contains("to another TPM: counter 1 instead of"));
    // The new TPM vouches for the whole log.
    let out = bed.path("enrolment");
    let said = bed.casemate(&["enrolment", "--out", out.to_str().unwrap()]);
    assert_eq!(said.exit, 0, "{said:?}");
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
    // Only what provisioning made is there.
    let made = std::fs::read_dir(bed.path("state")).unwrap();
    let made: Vec<_> = made.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["tpm"]);
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

#[test]
fn a_stop_settles_what_agentd_holds() {
    let mut bed = Bed::running();
    bed.add_workflow("again", "requeue");
    bed.add_workflow("once", "fail");
    let mut agent = Agent::with_slots(&bed, 2);
    crate::bed::wait_until("agentd is connected", || {
        !bed.json(&["status"])["agent"].is_null()
    });
    let (again, once) = (bed.run_job("again"), bed.run_job("once"));
    agent.lease();
    agent.lease();
    bed.stop();
    bed.start();
    let again = bed.job(&again);
    assert_eq!(
        (&again["state"], &again["attempt"]),
        (&"queued".into(), &2.into())
    );
    let once = bed.job(&once);
    assert_eq!(
        (&once["state"], &once["code"]),
        (&"failed".into(), &"job.interrupted".into())
    );
    // All of it was recorded before the state was closed.
    let entries = bed.json(&["audit", "list"]);
    let entries = entries.as_array().unwrap();
    let closed = entries
        .iter()
        .position(|entry| entry["kind"] == "state.closed")
        .unwrap();
    let requeued = entries.iter().position(|entry| {
        entry["text"]
            .as_str()
            .unwrap()
            .contains("requeued for attempt 2")
    });
    assert!(requeued.unwrap() < closed);
}

/// A file system of a few MiB; unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        let none: Option<&str> = None;
        nix::mount::mount(
            none,
            &at,
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            Some("size=8m"),
        )
        .unwrap();
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let mut bed = Bed::new();
    let disk = SmallDisk::mount(bed.path("state"));
    bed.start();
    bed.add_workflow("again", "requeue");
    let mut agent = Agent::settled(&bed);
    let job = bed.run_job("again");
    let lease = agent.lease();
    // Fill what is left, to the last block.
    let filler = bed.path("state/filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    let document = bed.document("letter.txt", "dear");
    let refused = bed.casemate(&["job", "run", "again", "--input", &document]);
    assert_eq!(refused.exit, 4, "{refused:?}");
    assert!(refused.err.contains("code state.full;"), "{refused:?}");
    // What cannot be recorded is not acknowledged: agentd is cut off instead.
    let big = "x".repeat(16 << 10);
    for _ in 0..2000 {
        let event = casemate_protocol::event::Event::Log { text: big.clone() };
        let number = agent.report_unacknowledged(lease.job(), |number| {
            casemate_protocol::lease::ToDaemon::Event {
                job: lease.job(),
                number,
                event,
            }
        });
        match agent.try_receive() {
            Ok(casemate_protocol::lease::ToAgent::Ack { number: acked, .. }) => {
                assert_eq!(acked, number);
            }
            _ => break,
        }
    }
    // It can still be looked at and stopped.
    assert_eq!(bed.casemate(&["status"]).exit, 0);
    assert_eq!(bed.casemate(&["job", "show", &job]).exit, 0);
    std::fs::remove_file(&filler).unwrap();
    // With room again, what was waiting to be recorded is.
    bed.wait_for_state(&job, "queued");
    assert_eq!(bed.casemate(&["audit", "verify"]).exit, 0);
    bed.stop();
    drop(disk);
}
