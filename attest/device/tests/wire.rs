//! What a tap on the bus between processor and TPM sees, may change and may cut.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use bed::Bed;
use bed::tap::{Plan, Tap};
use casemate_device::swtpm::Swtpm;
use casemate_device::{Tpm, TpmError, UnsealError};

fn tap(bed: &Bed, plan: Plan) -> Tap {
    Tap::start(&bed.path("tap.sock"), &bed.path("tpm.sock"), plan)
}

fn contains(traffic: &[u8], secret: &[u8]) -> bool {
    traffic.windows(secret.len()).any(|window| window == secret)
}

/// The two authorisations and the store's key, out of the handover's bytes.
fn secrets(handover: &casemate_device::Handover) -> Vec<[u8; 32]> {
    let bytes = handover.to_bytes();
    // Byte strings of 32 bytes are 0x58 0x20 and their content.
    let at = |from: usize| {
        from + bytes[from..]
            .windows(2)
            .position(|w| w == [0x58, 0x20])
            .unwrap()
    };
    let first = at(0) + 2;
    let second = at(first + 32) + 2;
    let third = at(second + 32) + 2;
    [first, second, third]
        .map(|at| bytes[at..at + 32].try_into().unwrap())
        .to_vec()
}

#[test]
fn no_secret_passes_in_clear_from_the_first_boot_on() {
    let bed = Bed::new();
    drop(bed.start());
    let tap = tap(&bed, Plan::default());
    let tpm = Tpm::open(&tap.tcti()).unwrap();
    bed.provision(&tpm).unwrap();
    let handover = bed.open(&tpm).unwrap();
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    storage.increment_counter(&handover.counter_auth()).unwrap();
    let log = storage.log_key(&handover.log_key_name).unwrap();
    log.sign(&handover.log_auth(), &[7; 32]).unwrap();
    drop((log, storage, tpm));
    let plan = tap.plan.lock().unwrap();
    let traffic = &plan.traffic;
    // Positive control: what is not secret is seen.
    assert!(contains(traffic, &handover.srk_name[2..]));
    for secret in secrets(&handover) {
        assert!(!contains(traffic, &secret));
    }
}

#[test]
fn an_answer_altered_on_the_wire_is_noticed() {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    let handover = bed.open(&tpm).unwrap();
    drop(tpm);
    let tap = tap(&bed, Plan::default());
    let tpm = Tpm::open(&tap.tcti()).unwrap();
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    let auth = handover.counter_auth();
    let genuine = storage.counter(&auth).unwrap();
    // Behind the header an NV_Read answers size, value, nonce, attributes, HMAC.
    for at in (10..85).step_by(3) {
        tap.plan.lock().unwrap().alter = Some((0x14E, at));
        match storage.counter(&auth) {
            Err(TpmError::Altered { .. } | TpmError::Malformed { .. }) => {}
            other => panic!("byte {at}: {other:?}"),
        }
    }
    let mut plan = tap.plan.lock().unwrap();
    assert!(plan.altered > 20);
    plan.alter = None;
    drop(plan);
    assert_eq!(storage.counter(&auth).unwrap(), genuine);
    bed.assert_clean(&tpm);
}

#[test]
fn a_storage_root_key_slipped_in_on_the_wire_is_another_tpm() {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    drop(tpm);
    // ReadPublic's answer: size, public area ending in the point.
    let tap = tap(
        &bed,
        Plan {
            alter: Some((0x173, 20)),
            ..Plan::default()
        },
    );
    let tpm = Tpm::open(&tap.tcti()).unwrap();
    let error = bed.open(&tpm).unwrap_err();
    assert!(matches!(error, UnsealError::Storage(_)), "{error}");
}

#[test]
fn a_first_boot_cut_off_after_any_command_is_done_again() {
    // How many commands a first boot takes.
    let whole = Bed::new();
    drop(whole.start());
    let counting = tap(&whole, Plan::default());
    whole
        .provision(&Tpm::open(&counting.tcti()).unwrap())
        .unwrap();
    let commands = counting.plan.lock().unwrap().commands;
    assert!(commands > 40, "{commands}");
    let mut cut = 0;
    // Opening the connection takes three commands; cuts in there are not a first boot yet.
    for after in 3..commands {
        let mut bed = Bed::new();
        drop(bed.start());
        let tap = tap(
            &bed,
            Plan {
                cut_after: Some(after),
                ..Plan::default()
            },
        );
        let result = bed.provision(&Tpm::open(&tap.tcti()).unwrap());
        drop(tap);
        cut += usize::from(result.is_err());
        let tpm = bed.tpm();
        if !bed.path("state/root.cbor").exists() {
            bed.provision(&tpm)
                .unwrap_or_else(|error| panic!("after {after}: {error}"));
        }
        bed.assert_clean(&tpm);
        let first = bed
            .open(&tpm)
            .unwrap_or_else(|error| panic!("after {after}: {error}"));
        drop(tpm);
        let owned = {
            bed.reset();
            let tpm = bed.start();
            assert_eq!(bed.open(&tpm).unwrap().store_kek, first.store_kek);
            tpm.permanent().unwrap()
        };
        assert!(owned.owner_set && owned.lockout_set, "after {after}");
    }
    // The last two commands flush the sessions of a proof; without their answers the first boot is
    // done all the same.
    assert_eq!(cut, commands - 5);
}

#[test]
fn an_opening_cut_off_after_any_command_opens_again_or_asks_for_a_reset() {
    let whole = Bed::new();
    let tpm = whole.start();
    whole.provision(&tpm).unwrap();
    drop(tpm);
    let counting = tap(&whole, Plan::default());
    let first = whole.open(&Tpm::open(&counting.tcti()).unwrap()).unwrap();
    let commands = counting.plan.lock().unwrap().commands;
    drop(counting);
    let mut bed = whole;
    let mut latched = 0;
    for after in 3..commands {
        bed.reset();
        drop(bed.start());
        let _gone = std::fs::remove_file(bed.path("tap.sock"));
        let tap = tap(
            &bed,
            Plan {
                cut_after: Some(after),
                ..Plan::default()
            },
        );
        let result = bed.open(&Tpm::open(&tap.tcti()).unwrap());
        drop(tap);
        // The last command flushes a session; without its answer the root is open all the same.
        assert_eq!(result.is_ok(), after == commands - 1);
        let tpm = bed.tpm();
        let opened = match bed.open(&tpm) {
            Ok(handover) => {
                assert_eq!(handover.store_kek, first.store_kek);
                true
            }
            Err(UnsealError::Latched { .. }) => {
                latched += 1;
                result.is_ok()
            }
            Err(error) => panic!("after {after}: {error}"),
        };
        // An opening that was handed over is in the log; one that was lost leaves no more than one
        // record, and a machine that must be reset.
        let log = bed.runtime_log().bytes().unwrap();
        let log = casemate_attest::eventlog::EventLog::parse(&log).unwrap();
        let records = log.events().iter().filter(|event| event.pcr == 15).count();
        assert!(records == 1 || !opened && records == 0, "after {after}");
        bed.assert_clean(&tpm);
    }
    assert!(
        (1..commands / 2).contains(&latched),
        "{latched} of {commands}"
    );
}

#[test]
fn a_software_tpm_left_by_a_killed_launcher_is_ended_and_its_state_kept() {
    let mut bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    drop(tpm);
    // As if the launcher had been killed: nobody stops this one.
    let orphan = bed.swtpm.take().unwrap();
    let pid = orphan.pid();
    std::mem::forget(orphan);
    bed.swtpm = Some(Swtpm::start(&bed.path("tpm"), &bed.path("tpm.sock")).unwrap());
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(line.is_empty(), "the orphan still runs");
    let tpm = bed.start();
    bed.open(&tpm).unwrap();
}
