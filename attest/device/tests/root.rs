//! The sealed root: set up, opened, and refused in every way that it must be.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use bed::{Bed, event, log, release, variable};
use casemate_attest::digest::Digest;
use casemate_attest::release::Release;
use casemate_attest::sealing;
use casemate_device::{Handover, ProvisionError, SiteApproval, UnsealError, firmware, reseal_site};

/// A bed with an appliance, reset and measured again.
fn provisioned() -> (Bed, Handover) {
    let mut bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    bed.assert_clean(&tpm);
    let handover = bed.open(&tpm).unwrap();
    bed.assert_clean(&tpm);
    drop(tpm);
    bed.reset();
    (bed, handover)
}

#[test]
fn the_root_opens_again_after_each_reset_with_the_same_keys() {
    let (bed, first) = provisioned();
    let tpm = bed.start();
    let second = bed.open(&tpm).unwrap();
    assert_eq!(first.store_kek, second.store_kek);
    assert_ne!(first.store_kek, [0; 32]);
    assert_eq!(second.release, 5);
    assert_eq!(second.floor, 5);
    assert_eq!(Handover::from_bytes(&second.to_bytes()).unwrap(), second);
    let storage = tpm.storage_root(&second.srk_name).unwrap();
    let before = storage.counter(&second.counter_auth()).unwrap();
    assert_eq!(
        storage.increment_counter(&second.counter_auth()).unwrap(),
        before + 1
    );
    bed.assert_clean(&tpm);
}

#[test]
fn an_opening_is_logged_and_measured_and_latches_the_root() {
    let (bed, _) = provisioned();
    let tpm = bed.start();
    bed.open(&tpm).unwrap();
    let data = sealing::unseal_event(5);
    let expected = Digest::of_parts(&[&[0; 32], Digest::of(&data).as_bytes()]);
    assert_eq!(tpm.pcrs(&[15]).unwrap(), [(15, *expected.as_bytes())]);
    let logged = std::fs::read(bed.path("runtime.log")).unwrap();
    assert!(logged.ends_with(&data));
    let error = bed.open(&tpm).unwrap_err();
    assert!(matches!(error, UnsealError::Latched { .. }), "{error}");
    assert_eq!(error.code().id, "tpm.latched");
    bed.assert_clean(&tpm);
}

/// Opens with the run-time log at `log`, then with a sound one.
fn open_twice(log: &std::path::Path) -> (Bed, [Result<Handover, UnsealError>; 2]) {
    let (bed, _) = provisioned();
    let tpm = bed.start();
    let (state, release) = (bed.path("state"), bed.release());
    let opening = casemate_device::Opening {
        state: &state,
        release: &release,
        runtime_log: log,
        raise_floor: false,
    };
    let first = casemate_device::open(&tpm, opening);
    let second = bed.open(&tpm);
    bed.assert_clean(&tpm);
    (bed, [first, second])
}

/// Else a second caller in the same boot could have the root again.
#[test]
fn a_log_that_cannot_be_opened_is_said_before_the_tpm_is_asked() {
    let (_bed, [first, second]) = open_twice(std::path::Path::new("/"));
    assert_eq!(first.unwrap_err().code().id, "tpm.runtime-log");
    second.unwrap();
}

#[test]
fn once_the_root_was_released_a_log_that_cannot_be_written_leaves_it_latched() {
    let (bed, [first, second]) = open_twice(std::path::Path::new("/dev/full"));
    assert_eq!(first.unwrap_err().code().id, "tpm.runtime-log");
    assert_eq!(second.unwrap_err().code().id, "tpm.latched");
    assert_ne!(bed.tpm().pcrs(&[15]).unwrap(), [(15, [0; 32])]);
}

#[test]
fn another_secure_boot_policy_is_refused_and_pcr_7_named() {
    let (mut bed, _) = provisioned();
    let db = bed
        .boot
        .iter()
        .position(|e| e.data.ends_with(b"allowed"))
        .unwrap();
    bed.boot[db] = variable("db", b"allowed and one more");
    let tpm = bed.start();
    let error = bed.open(&tpm).unwrap_err();
    assert!(
        matches!(error, UnsealError::Register { register: 7, .. }),
        "{error}"
    );
    assert_eq!(error.code().id, "tpm.policy");
    bed.assert_clean(&tpm);
}

#[test]
fn another_kernel_is_refused_and_pcr_11_named() {
    let (mut bed, _) = provisioned();
    let genuine = bed.release();
    let kernel = bed
        .boot
        .iter()
        .position(|e| e.data == b".linux kernel")
        .unwrap();
    bed.boot[kernel] = event(11, 13, b".linux other kernel");
    let tpm = bed.start();
    let error = bed.open_with(&tpm, &genuine, false).unwrap_err();
    assert!(
        matches!(error, UnsealError::Register { register: 11, .. }),
        "{error}"
    );
    bed.assert_clean(&tpm);
}

/// systemd-stub measures command lines and credentials found beside the image into PCR 12, and
/// extensions into PCR 13, and hands them all to the system it starts.
#[test]
fn what_was_put_beside_the_signed_image_keeps_the_root_closed() {
    for register in [12, 13] {
        let (mut bed, _) = provisioned();
        let tpm = bed.start();
        assert!(bed.open(&tpm).is_ok());
        drop(tpm);
        bed.reset();
        let genuine = bed.release();
        bed.boot.push(event(register, 13, b"systemd.debug_shell=1"));
        let tpm = bed.start();
        let error = bed.open_with(&tpm, &genuine, false).unwrap_err();
        assert!(
            matches!(error, UnsealError::Register { register: found, .. } if found == register),
            "{error}"
        );
        assert_eq!(error.code().id, "tpm.beside");
        // The site's approval is of the firmware and the release, not of what lies beside it.
        let pcr7 = firmware::FirmwareLog::parse(&log(&bed.boot))
            .unwrap()
            .replay(7);
        let approval = SiteApproval::sign(&bed.site_key, Digest::new(pcr7), initrd_pcr11(&bed), 5);
        reseal_site(&bed.path("state"), &approval.unwrap().to_bytes()).unwrap();
        let error = bed.open_with(&tpm, &genuine, false).unwrap_err();
        assert_eq!(error.code().id, "tpm.beside");
        bed.assert_clean(&tpm);
    }
}

#[test]
fn with_something_beside_the_signed_image_nothing_is_sealed() {
    for register in [12, 13] {
        let code = provision_on(|events| events.push(event(register, 13, b"beside")));
        assert_eq!(code, "tpm.beside");
    }
}

#[test]
fn a_root_sealed_under_another_version_of_the_policy_is_said() {
    let (bed, _) = provisioned();
    let tpm = bed.start();
    let path = bed.path("state/root.cbor");
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[..2], [0x8b, 3], "an array of eleven, version 3");
    bytes[1] = 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.state-version");
    bed.assert_clean(&tpm);
}

#[test]
fn a_kernel_measured_past_the_initrd_is_refused() {
    let (bed, _) = provisioned();
    let mut later = bed.boot.clone();
    later.push(event(11, 13, b"leave-initrd"));
    let tpm = bed.tpm();
    tpm.measured_start(&log(&later), &bed.runtime_log())
        .unwrap();
    let error = bed.open(&tpm).unwrap_err();
    assert!(
        matches!(error, UnsealError::Register { register: 11, .. }),
        "{error}"
    );
}

#[test]
fn a_later_release_opens_and_shuts_the_earlier_one_out() {
    let (mut bed, first) = provisioned();
    let (old_boot, old) = (bed.boot.clone(), bed.release());
    let kernel = bed
        .boot
        .iter()
        .position(|e| e.data == b".linux kernel")
        .unwrap();
    bed.boot[kernel] = event(11, 13, b".linux newer kernel");
    bed.number = 6;
    let tpm = bed.start();
    let newer = bed.open_with(&tpm, &bed.release(), true).unwrap();
    assert_eq!((newer.store_kek, newer.floor), (first.store_kek, 6));
    bed.assert_clean(&tpm);
    drop(tpm);
    bed.reset();
    bed.boot = old_boot;
    let tpm = bed.start();
    let error = bed.open_with(&tpm, &old, false).unwrap_err();
    assert!(
        matches!(
            error,
            UnsealError::Floor {
                release: 5,
                floor: 6
            }
        ),
        "{error}"
    );
    bed.assert_clean(&tpm);
}

#[test]
fn a_manifest_or_a_policy_that_the_release_key_did_not_sign_is_refused() {
    let (bed, _) = provisioned();
    let tpm = bed.start();
    let forged = release(&bed.boot, 5, &bed::key(9));
    let error = bed.open_with(&tpm, &forged, false).unwrap_err();
    assert_eq!(error.code().id, "release.key");
    // The manifest is the release key's, the approval of its policy another key's: then it is
    // the TPM that refuses.
    let stolen = bed::release_approved_by(&bed.boot, 5, &bed.release_key, &bed::key(9));
    let error = bed.open_with(&tpm, &stolen, false).unwrap_err();
    assert!(matches!(error, UnsealError::Policy(_)), "{error}");
    assert_eq!(error.code().id, "tpm.policy");
    bed.assert_clean(&tpm);
}

#[test]
fn state_of_another_tpm_is_refused_before_anything_is_sent_to_it() {
    let (mut bed, _) = provisioned();
    bed.swap_tpm();
    let tpm = bed.start();
    let error = bed.open(&tpm).unwrap_err();
    assert_eq!(error.code().id, "tpm.other");
    // Also when the other TPM has a storage root key of its own.
    let other = Bed::new();
    let tpm = other.start();
    other.provision(&tpm).unwrap();
    std::fs::copy(bed.path("state/root.cbor"), other.path("state/root.cbor")).unwrap();
    let error = other.open(&tpm).unwrap_err();
    assert!(matches!(error, UnsealError::Storage(_)), "{error}");
    assert_eq!(error.code().id, "tpm.other");
    other.assert_clean(&tpm);
}

#[test]
fn a_missing_or_damaged_record_is_said() {
    let (bed, _) = provisioned();
    let tpm = bed.start();
    let path = bed.path("state/root.cbor");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.state-missing");
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.state-damaged");
    bed.assert_clean(&tpm);
}

/// Replaces every occurrence of a digest in the record.
fn replace(record: &mut [u8], from: [u8; 32], to: [u8; 32]) {
    let at: Vec<usize> = (0..=record.len() - 32)
        .filter(|at| record[*at..at + 32] == from)
        .collect();
    assert!(!at.is_empty());
    for at in at {
        record[at..at + 32].copy_from_slice(&to);
    }
}

#[test]
fn a_record_rewritten_to_fit_a_changed_platform_opens_nothing() {
    let (mut bed, _) = provisioned();
    let enrolled = firmware::FirmwareLog::parse(&log(&bed.boot))
        .unwrap()
        .replay(7);
    bed.boot[2] = variable("SecureBoot", &[0]);
    let tpm = bed.start();
    let changed = tpm.pcrs(&[7]).unwrap()[0].1;
    // Everything the attacker can write is written consistently: the enrolled value and the
    // branch's digest. The sealed object's own policy is inside what the TPM made.
    let name = sealing::name(&bed.signer_public());
    let path = bed.path("state/root.cbor");
    let mut record = std::fs::read(&path).unwrap();
    replace(&mut record, enrolled, changed);
    let branch = |pcr7| sealing::release_branch(&name, pcr7);
    replace(&mut record, branch(enrolled), branch(changed));
    std::fs::write(&path, &record).unwrap();
    let error = bed.open(&tpm).unwrap_err();
    assert!(matches!(error, UnsealError::Policy(_)), "{error}");
    // With the object's public area rewritten too, it no longer is what the TPM made.
    let site = sealing::site_branch(&sealing::name(&bed.site_public()));
    let policy = |pcr7| sealing::Policy::or(branch(pcr7), site).digest();
    replace(&mut record, policy(enrolled), policy(changed));
    std::fs::write(&path, &record).unwrap();
    let error = bed.open(&tpm).unwrap_err();
    assert!(matches!(error, UnsealError::Foreign), "{error}");
    bed.assert_clean(&tpm);
}

#[test]
fn provisioning_twice_is_refused() {
    let (bed, _) = provisioned();
    let tpm = bed.start();
    assert_eq!(
        bed.provision(&tpm).unwrap_err().code().id,
        "tpm.state-exists"
    );
    std::fs::remove_file(bed.path("state/root.cbor")).unwrap();
    assert_eq!(bed.provision(&tpm).unwrap_err().code().id, "tpm.owned");
    bed.assert_clean(&tpm);
}

/// Provisions on a boot where one event is replaced; returns the code.
fn provision_on(change: impl FnOnce(&mut Vec<bed::BootEvent>)) -> &'static str {
    let mut bed = Bed::new();
    change(&mut bed.boot);
    let tpm = bed.start();
    let code = bed.provision(&tpm).unwrap_err().code().id;
    assert!(!bed.path("state/root.cbor").exists());
    assert!(!tpm.permanent().unwrap().owner_set);
    bed.assert_clean(&tpm);
    code
}

fn position(events: &[bed::BootEvent], end: &[u8]) -> usize {
    events
        .iter()
        .position(|e| e.register == 7 && e.data.ends_with(end))
        .unwrap()
}

#[test]
fn a_platform_without_secure_boot_is_not_sealed_to() {
    assert_eq!(
        provision_on(|e| e[2] = variable("SecureBoot", &[0])),
        "tpm.secure-boot"
    );
    assert_eq!(
        provision_on(|e| e[2] = variable("SecureBoot", &[])),
        "tpm.secure-boot"
    );
    assert_eq!(
        provision_on(|e| e[2] = variable("SecureBoot", &[2])),
        "tpm.secure-boot"
    );
    assert_eq!(provision_on(|e| drop(e.remove(2))), "tpm.secure-boot");
}

#[test]
fn a_platform_in_setup_mode_is_not_sealed_to() {
    assert_eq!(
        provision_on(|e| {
            let at = position(e, b"platform key");
            e[at] = variable("PK", &[]);
        }),
        "tpm.secure-boot"
    );
}

#[test]
fn a_variable_measured_twice_or_after_the_separator_is_not_believed() {
    assert_eq!(
        provision_on(|e| e.insert(3, variable("SecureBoot", &[1]))),
        "tpm.secure-boot"
    );
    assert_eq!(
        provision_on(|e| e.push(variable("Late", &[1]))),
        "tpm.secure-boot"
    );
}

#[test]
fn a_register_nobody_measured_into_is_not_sealed_to() {
    let measured = [(7, [1; 32]), (11, [2; 32])];
    firmware::check_measured(&measured).unwrap();
    for (register, byte) in [(7, 0x00), (7, 0xFF), (11, 0x00), (11, 0xFF)] {
        let values = measured.map(|(r, value)| (r, if r == register { [byte; 32] } else { value }));
        let error = firmware::check_measured(&values).unwrap_err();
        assert_eq!(
            error,
            firmware::FirmwareError::Unmeasured { register, byte }
        );
        assert_eq!(error.code().id, "tpm.unmeasured");
    }
}

#[test]
fn a_log_that_the_tpm_does_not_bear_out_is_refused() {
    let bed = Bed::new();
    let tpm = bed.start();
    let mut told = bed.boot.clone();
    told[0] = event(0, 8, b"nicer firmware");
    let error = bed
        .provision_with(&tpm, &log(&told), &bed.release())
        .unwrap_err();
    assert!(matches!(error, ProvisionError::Firmware(_)), "{error}");
    assert_eq!(error.code().id, "tpm.firmware-log");
}

#[test]
fn another_release_than_the_one_that_booted_is_not_provisioned() {
    let bed = Bed::new();
    let tpm = bed.start();
    let mut other = bed.boot.clone();
    other.push(event(11, 13, b"more"));
    let manifest = release(&other, 5, &bed.release_key);
    let error = bed
        .provision_with(&tpm, &log(&bed.boot), &manifest)
        .unwrap_err();
    assert_eq!(error.code().id, "tpm.other-release");
}

#[test]
fn an_interrupted_first_boot_is_done_again() {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    // As after a crash just before the last rename.
    let (part, whole) = (bed.path("state/root.part"), bed.path("state/root.cbor"));
    std::fs::rename(&whole, &part).unwrap();
    bed.provision(&tpm).unwrap();
    assert!(whole.exists() && !part.exists());
    bed.open(&tpm).unwrap();
    bed.assert_clean(&tpm);
}

/// The bed's appliance before a change of the firmware's allowed keys, and PCR 7 after it.
fn before_a_change() -> (Bed, Handover, Digest) {
    let (mut bed, first) = provisioned();
    let db = position(&bed.boot, b"allowed");
    bed.boot[db] = variable("db", b"allowed and one more");
    let bytes = log(&bed.boot);
    let pcr7 = firmware::FirmwareLog::parse(&bytes).unwrap().replay(7);
    (bed, first, Digest::new(pcr7))
}

fn initrd_pcr11(bed: &Bed) -> Digest {
    let key = bed.release_key.verifying_key();
    Release::verify(&bed.release(), key).unwrap().initrd_pcr11
}

#[test]
fn a_change_that_the_site_approved_opens_the_root() {
    let (bed, first, pcr7) = before_a_change();
    let tpm = bed.start();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.policy");
    let approval = SiteApproval::sign(&bed.site_key, pcr7, initrd_pcr11(&bed), 5).unwrap();
    reseal_site(&bed.path("state"), &approval.to_bytes()).unwrap();
    let handover = bed.open(&tpm).unwrap();
    assert_eq!(handover.store_kek, first.store_kek);
    bed.assert_clean(&tpm);
    // The latch holds for this branch as well.
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.latched");
    bed.assert_clean(&tpm);
}

#[test]
fn an_approval_opens_only_the_state_it_names_and_only_down_to_its_floor() {
    let (mut bed, _, pcr7) = before_a_change();
    let pcr11 = initrd_pcr11(&bed);
    // Another PCR 7 than the one that came.
    let other = SiteApproval::sign(&bed.site_key, Digest::of(b"other"), pcr11, 5).unwrap();
    reseal_site(&bed.path("state"), &other.to_bytes()).unwrap();
    let tpm = bed.start();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.policy");
    // An approval of an older release than the floor.
    let old = SiteApproval::sign(&bed.site_key, pcr7, pcr11, 4).unwrap();
    reseal_site(&bed.path("state"), &old.to_bytes()).unwrap();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.policy");
    bed.assert_clean(&tpm);
    // The state it names, but not the one that boots.
    drop(tpm);
    bed.reset();
    let genuine = SiteApproval::sign(&bed.site_key, pcr7, pcr11, 5).unwrap();
    reseal_site(&bed.path("state"), &genuine.to_bytes()).unwrap();
    bed.boot[2] = variable("SecureBoot", &[0]);
    let tpm = bed.start();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.policy");
}

#[test]
fn an_approval_by_another_key_is_not_taken_and_the_tpm_would_not_either() {
    let (bed, _, pcr7) = before_a_change();
    let pcr11 = initrd_pcr11(&bed);
    let genuine = SiteApproval::sign(&bed.site_key, pcr7, pcr11, 5).unwrap();
    let forged = SiteApproval::sign(&bed::key(9), pcr7, pcr11, 5).unwrap();
    let state = bed.path("state");
    let error = reseal_site(&state, &forged.to_bytes()).unwrap_err();
    assert_eq!(error.code().id, "tpm.approval");
    let mut edited = genuine.to_bytes();
    edited.push(0);
    assert_eq!(
        reseal_site(&state, &edited).unwrap_err().code().id,
        "tpm.approval"
    );
    // Written into the record behind the check's back.
    reseal_site(&state, &genuine.to_bytes()).unwrap();
    let path = bed.path("state/root.cbor");
    let record = std::fs::read(&path).unwrap();
    let at = record
        .windows(64)
        .position(|w| w == genuine.signature)
        .unwrap();
    let mut record = record;
    record[at..at + 64].copy_from_slice(&forged.signature);
    std::fs::write(&path, record).unwrap();
    let tpm = bed.start();
    assert_eq!(bed.open(&tpm).unwrap_err().code().id, "tpm.policy");
    bed.assert_clean(&tpm);
}
