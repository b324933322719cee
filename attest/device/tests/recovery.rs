//! The recovery key: the root comes back on the same TPM and on another, and to nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use std::fs;

use bed::raw::{OWNER, PASSWORD, Raw, sized};
use bed::tap::{Plan, Tap};
use bed::{Bed, variable};
use casemate_device::{Opened, RecoveryKey, Tpm};

/// A bed with an appliance that was opened once, its recovery key, reset.
fn with_key() -> (Bed, Opened, RecoveryKey) {
    let mut bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    let opened = bed.open_whole(&tpm).unwrap();
    let key = opened.new_recovery_key(&bed.path("state")).unwrap();
    drop(tpm);
    bed.reset();
    (bed, opened, key.unwrap())
}

fn other_secure_boot(bed: &mut Bed) {
    let allowed = |event: &bed::BootEvent| event.data.ends_with(b"allowed");
    let db = bed.boot.iter().position(allowed).unwrap();
    bed.boot[db] = variable("db", b"allowed and one more");
}

fn counter(tpm: &Tpm, opened: &Opened) -> u64 {
    let handover = &opened.handover;
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    storage.counter(&handover.counter_auth()).unwrap()
}

#[test]
fn on_a_changed_platform_the_same_tpm_opens_again() {
    let (mut bed, first, key) = with_key();
    other_secure_boot(&mut bed);
    let tpm = bed.start();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.policy");
    bed.recover(&tpm, &key).unwrap();
    bed.assert_clean(&tpm);
    let opened = bed.open_whole(&tpm).unwrap();
    assert_eq!(opened.handover.store_kek, first.handover.store_kek);
    assert_eq!(opened.volume.bytes(), first.volume.bytes());
    // Floor, counter and log key are the TPM's as before.
    assert_eq!(opened.handover.recovered_at, None);
    assert_eq!(opened.handover.log_key_name, first.handover.log_key_name);
    let storage = tpm.storage_root(&opened.handover.srk_name).unwrap();
    let auth = opened.handover.counter_auth();
    let before = storage.counter(&auth).unwrap();
    assert_eq!(storage.increment_counter(&auth).unwrap(), before + 1);
    bed.assert_clean(&tpm);
    // The latch holds, and what was sealed to is the platform as it is now.
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.latched");
    drop(tpm);
    bed.reset();
    assert!(bed.open(&bed.start()).is_ok());
}

#[test]
fn on_another_tpm_the_root_comes_back_and_says_at_which_counter() {
    let (mut bed, first, key) = with_key();
    bed.swap_tpm();
    let tpm = bed.start();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.other");
    bed.recover(&tpm, &key).unwrap();
    bed.assert_clean(&tpm);
    let opened = bed.open_whole(&tpm).unwrap();
    assert_eq!(opened.handover.store_kek, first.handover.store_kek);
    assert_eq!(opened.volume.bytes(), first.volume.bytes());
    assert_ne!(opened.handover.srk_name, first.handover.srk_name);
    let at = counter(&tpm, &opened);
    assert_eq!(opened.handover.recovered_at, Some(at));
    let owned = tpm.permanent().unwrap();
    assert!(owned.owner_set && owned.lockout_set);
}

/// Who writes to the disk may want an old copy of the state taken for one that was moved.
#[test]
fn a_recovery_that_the_root_does_not_vouch_for_is_none() {
    let (mut bed, _, key) = with_key();
    bed.swap_tpm();
    let tpm = bed.start();
    bed.recover(&tpm, &key).unwrap();
    drop(tpm);
    let path = bed.path("state/root.cbor");
    let record = fs::read(&path).unwrap();
    // The last member is the counter and its tag of 32 bytes.
    let at = record.len() - 35;
    assert_eq!(record[at..at + 3], [1, 0x58, 32], "counter 1, then the tag");
    for (place, byte) in [(at, 2), (at + 3, record[at + 3] ^ 1)] {
        let mut forged = record.clone();
        forged[place] = byte;
        fs::write(&path, forged).unwrap();
        bed.swap_tpm();
        let opened = bed.open_whole(&bed.start()).unwrap();
        assert_eq!(opened.handover.recovered_at, None);
    }
}

#[test]
fn another_key_gives_nothing_and_changes_nothing() {
    let (mut bed, first, old) = with_key();
    let tpm = bed.start();
    let again = bed.open_whole(&tpm).unwrap();
    let new = again.new_recovery_key(&bed.path("state")).unwrap().unwrap();
    drop(tpm);
    bed.reset();
    other_secure_boot(&mut bed);
    let tpm = bed.start();
    let before = fs::read(bed.path("state/root.cbor")).unwrap();
    assert_eq!(
        bed.recover(&tpm, &old).unwrap_err().code().id,
        "recovery.other"
    );
    assert_eq!(fs::read(bed.path("state/root.cbor")).unwrap(), before);
    bed.recover(&tpm, &new).unwrap();
    let opened = bed.open(&tpm).unwrap();
    assert_eq!(opened.store_kek, first.handover.store_kek);
    // One that was typed back is the last.
    fs::write(bed.path("state/recovery.proven"), []).unwrap();
    drop(tpm);
    bed.reset();
    let opened = bed.open_whole(&bed.start()).unwrap();
    assert!(
        opened
            .new_recovery_key(&bed.path("state"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_tpm_of_somebody_else_is_left_alone() {
    let (mut bed, _, key) = with_key();
    bed.swap_tpm();
    drop(bed.start());
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    let foreign = sized(b"known to somebody else");
    raw.run(0x129, &[OWNER], &[(PASSWORD, &[])], &foreign)
        .unwrap();
    drop(raw);
    let tpm = bed.tpm();
    let error = bed.recover(&tpm, &key).unwrap_err();
    assert_eq!(error.code().id, "tpm.owned", "{error}");
    bed.assert_clean(&tpm);
    // That of another appliance of ours, which has keys where ours would be.
    let (other, first, _) = with_key();
    let tpm = other.start();
    let record = |bed: &Bed| bed.path("state/recovery.cbor");
    fs::copy(record(&bed), record(&other)).unwrap();
    let error = other.recover(&tpm, &key).unwrap_err();
    assert_eq!(error.code().id, "tpm.foreign-owner", "{error}");
    let opened = other.open(&tpm).unwrap();
    assert_eq!(opened.store_kek, first.handover.store_kek);
    other.assert_clean(&tpm);
}

#[test]
fn what_was_loaded_beside_the_image_gets_no_root_by_the_key_either() {
    let (mut bed, _, key) = with_key();
    bed.boot.push(bed::event(12, 13, b"init=/bin/sh"));
    let tpm = bed.start();
    assert_eq!(bed.recover(&tpm, &key).unwrap_err().code().id, "tpm.beside");
}

#[test]
fn a_recovery_onto_another_tpm_cut_off_after_any_command_is_done_again() {
    let run = |after: Option<usize>| {
        let (mut bed, first, key) = with_key();
        bed.swap_tpm();
        drop(bed.start());
        let plan = Plan {
            cut_after: after,
            ..Plan::default()
        };
        let tap = Tap::start(&bed.path("tap.sock"), &bed.path("tpm.sock"), plan);
        let cut = bed.recover(&Tpm::open(&tap.tcti()).unwrap(), &key);
        let commands = tap.plan.lock().unwrap().commands;
        drop(tap);
        let tpm = bed.tpm();
        if after.is_some() {
            // Also if the answer alone was lost.
            bed.recover(&tpm, &key)
                .unwrap_or_else(|error| panic!("after {after:?}: {error}"));
        } else {
            cut.unwrap();
        }
        bed.assert_clean(&tpm);
        let opened = bed.open_whole(&tpm).unwrap();
        assert_eq!(opened.handover.store_kek, first.handover.store_kek);
        let at = counter(&tpm, &opened);
        assert_eq!(opened.handover.recovered_at, Some(at), "after {after:?}");
        let owned = tpm.permanent().unwrap();
        assert!(owned.owner_set && owned.lockout_set, "after {after:?}");
        commands
    };
    let commands = run(None);
    assert!(commands > 40, "{commands}");
    for after in 3..commands {
        run(Some(after));
    }
}
