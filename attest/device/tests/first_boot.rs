//! A first boot that was cut off, and somebody who uses the gap.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use bed::Bed;
use bed::raw::{LOCKOUT, OWNER, PASSWORD, Raw, sized};
use bed::tap::{Plan, Tap};
use casemate_device::Tpm;

const CHANGE_AUTH: u32 = 0x129;

/// A first boot cut off before it changes an authorisation for the n-th time: the owner's, then
/// lockout's. The record of the sealed root is written by then.
fn cut_before_change(count: usize) -> Bed {
    let bed = Bed::new();
    drop(bed.start());
    let plan = Plan {
        cut_before: Some((CHANGE_AUTH, count)),
        ..Plan::default()
    };
    let tap = Tap::start(&bed.path("tap.sock"), &bed.path("tpm.sock"), plan);
    bed.provision(&Tpm::open(&tap.tcti()).unwrap()).unwrap_err();
    drop(tap);
    assert!(bed.path("state/root.part").exists());
    bed
}

fn take(bed: &Bed, hierarchy: u32) {
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    let foreign = sized(b"known to somebody else");
    raw.run(CHANGE_AUTH, &[hierarchy], &[(PASSWORD, &[])], &foreign)
        .unwrap();
}

fn assert_refused(bed: &Bed) {
    let tpm = bed.tpm();
    // However often it is tried.
    for _ in 0..2 {
        let error = bed.provision(&tpm).unwrap_err();
        let code = error.code();
        assert!(
            ["tpm.foreign-owner", "tpm.owned", "tpm.lockout"].contains(&code.id),
            "{error}"
        );
        assert!(!bed.path("state/root.cbor").exists());
    }
    bed.assert_clean(&tpm);
}

#[test]
fn an_owner_who_came_into_the_gap_is_not_taken_for_the_appliance() {
    let bed = cut_before_change(1);
    take(&bed, OWNER);
    let error = bed.provision(&bed.tpm()).unwrap_err();
    assert_eq!(error.code().id, "tpm.foreign-owner", "{error}");
    assert_refused(&bed);
}

#[test]
fn owner_and_lockout_taken_in_the_gap_are_not_taken_for_the_appliances() {
    let bed = cut_before_change(1);
    take(&bed, OWNER);
    take(&bed, LOCKOUT);
    assert_refused(&bed);
}

#[test]
fn lockout_taken_in_the_gap_is_not_taken_for_the_appliances() {
    let bed = cut_before_change(2);
    assert!(bed.tpm().permanent().unwrap().owner_set);
    take(&bed, LOCKOUT);
    let error = bed.provision(&bed.tpm()).unwrap_err();
    assert_eq!(error.code().id, "tpm.foreign-owner", "{error}");
    assert_refused(&bed);
}

#[test]
fn a_tpm_with_a_foreign_lockout_authorisation_is_owned() {
    let bed = Bed::new();
    drop(bed.start());
    take(&bed, LOCKOUT);
    let error = bed.provision(&bed.tpm()).unwrap_err();
    assert_eq!(error.code().id, "tpm.owned", "{error}");
    assert_refused(&bed);
}

/// Positive control: without anybody in the gap the first boot goes on.
#[test]
fn a_gap_that_nobody_used_is_closed() {
    for count in [1, 2] {
        let bed = cut_before_change(count);
        let tpm = bed.tpm();
        bed.provision(&tpm).unwrap();
        bed.open(&tpm).unwrap();
        bed.assert_clean(&tpm);
    }
}
