//! The open state: what goes in comes back, after a stop, without its index, under attack.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by failing"
)]

mod state_bed;

use casemate_appliance::keys::{Kek, SubjectId};
use casemate_appliance::store::entry::Entry;
use casemate_appliance::store::{OpenError, Setup, Store};
use casemate_attest::checkpoint::Checkpoint;
use casemate_attest::export::VerifiedExport;
use casemate_attest::merkle;
use casemate_protocol::id::JobId;
use state_bed as bed;
use state_bed::{Tpm, fill, halt, open};
use tempfile::TempDir;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn file_of(store: &Store, job: u8) -> casemate_appliance::artifact::Artifact {
    store.index().job_artifacts(JobId([job; 16])).unwrap()[0].artifact
}

#[test]
fn what_is_committed_is_there_after_a_stop() {
    let (dir, tpm) = (dir(), Tpm::at(40));
    let (store, report) = open(dir.path(), &tpm).unwrap();
    assert!(report.created);
    fill(&store, 1);
    let digest = store.index().content_digest().unwrap();
    let size = store.checkpoint().checkpoint.size;
    let events = store.index().events(JobId([1; 16]), 0, 100).unwrap();
    assert_eq!(events.len(), 6);
    assert_eq!(
        events.iter().map(|event| event.number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(
        store.index().events(JobId([1; 16]), 2, 2).unwrap(),
        events[2..4]
    );
    store.close().unwrap();
    assert_eq!(
        store.commit(halt("late")).unwrap_err().code().id,
        "journal.failed"
    );
    drop(store);

    let (store, report) = open(dir.path(), &tpm).unwrap();
    assert!(
        report.clean && !report.created && report.cut == 0,
        "{report:?}"
    );
    assert_eq!(report.rebuilt, None);
    assert_eq!(report.entries, size + 2);
    assert_eq!(store.index().content_digest().unwrap(), digest);
    let job = store.index().job(JobId([1; 16])).unwrap().unwrap();
    assert_eq!(
        (job.steps, job.findings, job.rows, job.files, job.events),
        (0, 1, 1, 1, 6)
    );
    let bytes = store
        .artifact_reader(file_of(&store, 1))
        .unwrap()
        .read_all(1 << 30)
        .unwrap();
    assert_eq!(bytes, vec![1; 3_000_000]);
    assert!(matches!(
        store.read(0).unwrap().entry,
        Some(Entry::StateCreated { counter: 40, .. })
    ));
}

#[test]
fn a_daemon_that_did_not_close_is_noticed() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    let copied = tempfile::tempdir().unwrap();
    bed::copy(dir.path(), copied.path());
    let (again, report) = open(copied.path(), &tpm).unwrap();
    assert!(!report.clean, "{report:?}");
    assert_eq!(
        again.index().content_digest().unwrap(),
        store.index().content_digest().unwrap()
    );
}

#[test]
fn the_index_is_rebuilt_equal_when_it_is_gone_or_damaged() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    (1..4).for_each(|job| fill(&store, job));
    let digest = store.index().content_digest().unwrap();
    store.close().unwrap();
    drop(store);
    let db = dir.path().join("index/db");
    let good = std::fs::read(&db).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap();

    let mut rebuilt = 0;
    let mut check = |what: &str| {
        let (store, report) = open(dir.path(), &tpm).unwrap();
        assert_eq!(store.index().content_digest().unwrap(), digest, "{what}");
        rebuilt += u32::from(report.rebuilt.is_some());
        store.close().unwrap();
    };
    for at in (0..used).step_by(used / 24) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        std::fs::write(&db, bad).unwrap();
        check(&format!("byte {at}"));
    }
    std::fs::write(&db, &good[..used / 2]).unwrap();
    check("cut in half");
    std::fs::write(&db, vec![0xff; good.len()]).unwrap();
    check("overwritten");
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    check("deleted");
    // An older copy of the whole index is merely behind.
    std::fs::write(&db, &good).unwrap();
    check("rolled back");
    // Most damages only make sled fall back to what it knew before, which is behind and caught up.
    assert!(rebuilt >= 1);
}

#[test]
fn one_row_put_back_is_noticed() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    store.commit(halt("first")).unwrap();
    store.close().unwrap();
    drop(store);
    let rows = || {
        let db = sled::open(dir.path().join("index")).unwrap();
        let rows: Vec<_> = db.iter().map(Result::unwrap).collect();
        rows
    };
    let old = rows();
    let (store, _) = open(dir.path(), &tpm).unwrap();
    store.commit(halt("second")).unwrap();
    store.close().unwrap();
    drop(store);
    let db = sled::open(dir.path().join("index")).unwrap();
    let (key, value) = old.iter().find(|(key, _)| key[0] == 7).unwrap();
    assert!(db.insert(key, value).unwrap().is_some());
    drop(db);
    let (store, report) = open(dir.path(), &tpm).unwrap();
    assert!(report.rebuilt.unwrap().contains("put back"));
    assert_eq!(store.index().halt().unwrap().unwrap().by, "second");
}

#[test]
fn the_log_is_proved_to_others() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    let old = store.checkpoint();
    fill(&store, 2);
    let committed = store.commit(halt("ada")).unwrap();
    let new = store.checkpoint();
    assert_eq!(new.checkpoint.size, committed.entry + 1);
    assert!(committed.checkpoint.checkpoint.size > committed.entry);
    let key = store.audit_key();
    Checkpoint::verify(new.note.as_bytes(), &key, None).unwrap();

    let (old, new) = (&old.checkpoint, &new.checkpoint);
    let proof = store.consistency_proof(old.size, new.size).unwrap();
    assert!(merkle::extends(
        old.size, &old.root, new.size, &new.root, &proof
    ));
    let leaf = store.read(5).unwrap().leaf.hash();
    let proof = store.inclusion_proof(5, new.size).unwrap();
    assert!(merkle::includes(&leaf, 5, new.size, &proof, &new.root));

    let file = store.export().unwrap();
    let verified = VerifiedExport::read(&file, Some(&key)).unwrap();
    assert_eq!(verified.leaves.len() as u64, new.size);
    assert_eq!(store.verify().unwrap().checkpoint.size, new.size);
    for at in (0..file.len()).step_by(file.len() / 40) {
        let mut bad = file.clone();
        bad[at] ^= 1;
        assert!(VerifiedExport::read(&bad, Some(&key)).is_err(), "byte {at}");
    }
}

#[test]
fn an_edited_record_of_a_running_daemon_is_named() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    let segment = dir.path().join("journal/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    // Zeros follow: space taken ahead.
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap() - 100;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let error = store.verify().unwrap_err();
    assert_eq!(error.code().id, "journal.damaged");
    let number = store.checkpoint().checkpoint.size - 1;
    assert!(
        error
            .to_string()
            .starts_with(&format!("record {number} in segment 1")),
        "{error}"
    );
    assert_eq!(store.export().unwrap_err().code().id, "journal.damaged");
}

#[test]
fn an_erased_subject_is_unreadable_and_every_proof_holds() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    fill(&store, 2);
    let subject = SubjectId([1; 16]);
    let before = store.checkpoint();
    let accepted = (0..before.checkpoint.size)
        .find(|number| {
            let leaf = store.read(*number).unwrap().leaf;
            leaf.kind == "job.accepted" && leaf.subject == subject.0
        })
        .unwrap();
    let file = file_of(&store, 1);
    assert_eq!(
        store.erase(SubjectId::SYSTEM, "eve").unwrap_err().code().id,
        "keys.system"
    );
    store.erase(subject, "ada").unwrap();

    assert_eq!(store.read(accepted).unwrap().entry, None);
    assert_eq!(
        store.artifact_reader(file).unwrap_err().code().id,
        "keys.erased"
    );
    assert_eq!(store.index().job(JobId([1; 16])).unwrap(), None);
    assert_eq!(store.index().artifact(file.id).unwrap(), None);
    let late = store.commit(bed::log_line(1, 9, "late")).unwrap_err();
    assert_eq!(late.code().id, "keys.erased");
    let after = store.checkpoint();
    let proof = store
        .consistency_proof(before.checkpoint.size, after.checkpoint.size)
        .unwrap();
    assert!(merkle::extends(
        before.checkpoint.size,
        &before.checkpoint.root,
        after.checkpoint.size,
        &after.checkpoint.root,
        &proof
    ));
    VerifiedExport::read(&store.export().unwrap(), Some(&store.audit_key())).unwrap();

    let digest = store.index().content_digest().unwrap();
    store.close().unwrap();
    drop(store);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let (store, report) = open(dir.path(), &tpm).unwrap();
    assert_eq!(store.index().content_digest().unwrap(), digest);
    assert_eq!(report.swept, 3, "the erased job's chunks");
    assert_eq!(store.index().jobs().unwrap().len(), 1);
}

#[test]
fn an_erasure_that_was_cut_off_is_completed() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    // Only the entry: as if the power went before the key file was touched.
    let subject = SubjectId([1; 16]);
    store
        .commit(Entry::KeyErased {
            subject,
            by: "ada".into(),
        })
        .unwrap();
    let keys = || std::fs::read_dir(dir.path().join("keys")).unwrap().count();
    let before = keys();
    store.close().unwrap();
    drop(store);
    let (store, _) = open(dir.path(), &tpm).unwrap();
    assert_eq!(keys(), before - 1);
    drop(store);
    // And after it was overwritten, before it was unlinked.
    let victim = std::fs::read_dir(dir.path().join("keys"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let zeros = vec![0; usize::try_from(victim.metadata().unwrap().len()).unwrap()];
    std::fs::write(victim.path(), zeros).unwrap();
    let _ = open(dir.path(), &tpm);
    assert!(!victim.path().exists());
}

#[test]
fn a_changed_key_file_is_named() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    store.close().unwrap();
    drop(store);
    for item in std::fs::read_dir(dir.path().join("keys")).unwrap() {
        let path = item.unwrap().path();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let error = open(dir.path(), &tpm).unwrap_err();
            assert_eq!(
                error.code().id,
                "keys.damaged",
                "{}: byte {at}: {error}",
                path.display()
            );
        }
        std::fs::write(&path, good).unwrap();
    }
    open(dir.path(), &tpm).unwrap();
}

#[test]
fn a_second_daemon_is_refused() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    let error = open(dir.path(), &tpm).unwrap_err();
    assert_eq!(error.code().id, "state.locked");
    store.close().unwrap();
    drop(store);
    open(dir.path(), &tpm).unwrap();
}

#[test]
fn another_key_is_said_as_such() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    fill(&store, 1);
    store.close().unwrap();
    drop(store);
    let other = Setup {
        kek: Kek::new([8; 32]),
        ..bed::setup(dir.path(), &tpm)
    };
    assert_eq!(Store::open(other).unwrap_err().code().id, "state.other-key");
    open(dir.path(), &tpm).unwrap();
}

#[test]
fn an_old_copy_and_another_tpm_are_told_apart() {
    let (dir, tpm) = (dir(), Tpm::at(5));
    let (store, _) = open(dir.path(), &tpm).unwrap();
    let anchored = store.anchor().unwrap();
    assert_eq!((anchored.counter, tpm.value()), (6, 6));
    let old = tempfile::tempdir().unwrap();
    bed::copy(dir.path(), old.path());
    store.commit(halt("ada")).unwrap();
    let last = store.anchor().unwrap();
    store.close().unwrap();
    drop(store);

    let error = open(old.path(), &tpm).unwrap_err();
    assert!(
        matches!(error, OpenError::RolledBack { journal: 6, tpm: 7 }),
        "{error}"
    );
    assert_eq!(error.code().id, "journal.rolled-back");
    let error = open(dir.path(), &Tpm::at(2)).unwrap_err();
    assert_eq!(error.code().id, "tpm.other");
    let (store, _) = open(dir.path(), &tpm).unwrap();
    assert_eq!(store.anchored().unwrap(), last);
}

/// A recovery key brought the root to another TPM, and with it the state.
#[test]
fn a_moved_state_is_taken_up_once_and_said() {
    let (dir, tpm) = (dir(), Tpm::at(5));
    let (store, _) = open(dir.path(), &tpm).unwrap();
    store.anchor().unwrap();
    store.anchor().unwrap();
    store.close().unwrap();
    drop(store);
    let old = tempfile::tempdir().unwrap();
    bed::copy(dir.path(), old.path());
    // Its counter stands lower, or higher: only the recovery says that it is no other TPM's.
    for at in [1, 900] {
        let (dir, new) = (tempfile::tempdir().unwrap(), Tpm::at(at));
        bed::copy(old.path(), dir.path());
        open(dir.path(), &new).unwrap_err();
        let recovered = |dir: &std::path::Path| Setup {
            recovered_at: Some(at),
            ..bed::setup(dir, &new)
        };
        let store = Store::open(recovered(dir.path())).unwrap().0;
        let head = store.checkpoint().checkpoint.size;
        let said = store.read(head - 1).unwrap();
        assert_eq!(said.leaf.kind, "tpm.moved");
        let counter = (7, at);
        assert!(
            matches!(said.entry, Some(Entry::TpmMoved { journal, counter: now })
                if (journal, now) == counter)
        );
        // The anchoring before is another TPM's word.
        assert_eq!(store.anchored(), None);
        store.close().unwrap();
        drop(store);
        // Before the first anchoring it is found as it was left, and nothing is said twice.
        let store = Store::open(recovered(dir.path())).unwrap().0;
        let kinds = |number| store.read(number).unwrap().leaf.kind;
        let head = store.checkpoint().checkpoint.size;
        assert_eq!(kinds(head - 1), "state.opened");
        assert_eq!(store.anchor().unwrap().counter, at + 1);
        store.close().unwrap();
        drop(store);
        // From then on the copy of before is an old copy, whatever the handover says.
        let error = Store::open(recovered(old.path())).unwrap_err();
        assert!(
            ["journal.rolled-back", "tpm.other"].contains(&error.code().id),
            "{error}"
        );
        let store = Store::open(recovered(dir.path())).unwrap().0;
        assert_eq!(store.anchored().unwrap().counter, at + 1);
        store.close().unwrap();
    }
}

#[test]
fn the_counter_survives_a_stop_between_its_two_steps() {
    let (dir, tpm) = (dir(), Tpm::at(5));
    for round in 0..4 {
        let (store, _) = open(dir.path(), &tpm).unwrap();
        assert_eq!(tpm.value(), 5 + 2 * round);
        store.anchor().unwrap();
        // Journaled, not advanced: then the daemon is gone.
        tpm.set_failing(true);
        assert_eq!(store.anchor().unwrap_err().code().id, "witness.failed");
        tpm.set_failing(false);
        assert_eq!(tpm.value(), 6 + 2 * round);
        drop(store);
        // The writer lets go of the lock when it has seen that nobody is left.
        let again = loop {
            match open(dir.path(), &tpm) {
                Err(OpenError::Locked(_)) => std::thread::yield_now(),
                other => break other.unwrap().0,
            }
        };
        assert_eq!(tpm.value(), 7 + 2 * round);
        again.close().unwrap();
    }
}

#[test]
fn an_advance_that_failed_is_completed_by_the_next_anchoring() {
    let (dir, tpm) = (dir(), Tpm::at(5));
    let (store, _) = open(dir.path(), &tpm).unwrap();
    tpm.set_failing(true);
    store.anchor().unwrap_err();
    store.anchor().unwrap_err();
    tpm.set_failing(false);
    assert_eq!(store.anchor().unwrap().counter, 7);
    assert_eq!(tpm.value(), 7);
}

#[test]
fn an_entry_too_long_for_a_leaf_is_refused_and_harms_nothing() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    let error = store.commit(halt(&"x".repeat(70_000))).unwrap_err();
    assert_eq!(error.code().id, "entry.too-large");
    store.commit(halt("ada")).unwrap();
    assert_eq!(store.index().halt().unwrap().unwrap().by, "ada");
}

#[test]
fn a_beginning_that_was_cut_off_is_begun_again() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    store.close().unwrap();
    drop(store);
    // As after a stop between the first segment's header and the first entry.
    let segment = dir.path().join("journal/00000001.seg");
    let header = std::fs::read(&segment).unwrap()[..156].to_vec();
    std::fs::write(&segment, header).unwrap();
    assert_eq!(
        open(dir.path(), &tpm).unwrap_err().code().id,
        "journal.damaged"
    );
    std::fs::write(dir.path().join("journal/head"), [0; 1024]).unwrap();
    let (_, report) = open(dir.path(), &tpm).unwrap();
    assert!(report.created);
}

#[test]
fn a_state_without_its_journal_is_not_begun_anew() {
    let (dir, tpm) = (dir(), Tpm::default());
    let (store, _) = open(dir.path(), &tpm).unwrap();
    store.close().unwrap();
    drop(store);
    std::fs::remove_file(dir.path().join("journal/00000001.seg")).unwrap();
    assert_eq!(
        open(dir.path(), &tpm).unwrap_err().code().id,
        "journal.missing"
    );
    std::fs::remove_file(dir.path().join("journal/head")).unwrap();
    assert_eq!(
        open(dir.path(), &tpm).unwrap_err().code().id,
        "journal.missing"
    );
}
