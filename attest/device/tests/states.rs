//! States that a TPM can be in, brought about for real, and what is said of each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use std::process::Command;

use bed::raw::{ENDORSEMENT, NULL, PASSWORD, PLATFORM, Raw, sized};
use bed::{Bed, log};
use casemate_device::ResponseCode;

const SIGN: u32 = 0x15D;
const STARTUP: u32 = 0x144;
const HIERARCHY_CONTROL: u32 = 0x121;
const LOCKOUT: u32 = 0x921;

/// `TPM_RC_AUTH_FAIL`, the authorisation of session 1: the kind of failure that is counted.
const AUTH_FAIL: u32 = 0x98E;

/// Guesses at a key that dictionary-attack logic protects, until the TPM locks. How many it took.
fn lock_out(bed: &Bed) -> u32 {
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    // A P-256 signing key without noDA, authorisation `secret`.
    let mut template = vec![0x00, 0x23, 0x00, 0x0B, 0x00, 0x04, 0x00, 0x72, 0, 0];
    template.extend([
        0x00, 0x10, 0x00, 0x18, 0x00, 0x0B, 0x00, 0x03, 0x00, 0x10, 0, 0, 0, 0,
    ]);
    let sensitive = [sized(b"secret"), sized(&[])].concat();
    let mut parameters = sized(&sensitive);
    parameters.extend(sized(&template));
    parameters.extend([0; 6]);
    let answer = raw.run(0x131, &[ENDORSEMENT], &[(PASSWORD, &[])], &parameters);
    let key = u32::from_be_bytes(answer.unwrap()[..4].try_into().unwrap());
    let mut digest = sized(&[7; 32]);
    digest.extend([0x00, 0x10, 0x80, 0x24]);
    digest.extend(NULL.to_be_bytes());
    digest.extend([0, 0]);
    let mut sign = |auth: &[u8]| raw.run(SIGN, &[key], &[(PASSWORD, auth)], &digest);
    assert!(sign(b"secret").is_ok());
    let mut guesses = 0;
    loop {
        match sign(b"guess").unwrap_err() {
            AUTH_FAIL => guesses += 1,
            LOCKOUT => break,
            other => panic!("{other:#x}"),
        }
        assert!(guesses < 64, "the TPM never locks");
    }
    // Now the right one is refused as well.
    assert_eq!(sign(b"secret"), Err(LOCKOUT));
    guesses
}

#[test]
fn a_locked_out_tpm_is_said_with_its_count_its_time_and_what_to_do() {
    let bed = Bed::new();
    drop(bed.start());
    let guesses = lock_out(&bed);
    let tpm = bed.tpm();
    let state = tpm.permanent().unwrap();
    assert!(state.in_lockout);
    assert_eq!(
        (state.lockout_counter, state.lockout_max),
        (guesses, guesses)
    );
    let error = bed.provision(&tpm).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the TPM is locked out: {guesses} wrong authorisations, {guesses} lock it; it forgets one every {} s \
             while it is powered",
            state.lockout_interval
        )
    );
    assert_eq!(error.code().id, "tpm.lockout");
    assert!(!bed.path("state/root.cbor").exists());
    bed.assert_clean(&tpm);
}

#[test]
fn unseal_ends_with_4_and_the_same_sentence_on_a_locked_out_tpm() {
    use p256::pkcs8::{EncodePublicKey as _, LineEnding};
    let bed = Bed::new();
    drop(bed.start());
    lock_out(&bed);
    std::fs::write(bed.path("release.cose"), bed.release()).unwrap();
    std::fs::write(bed.path("firmware.log"), log(&bed.boot)).unwrap();
    let pem = bed
        .release_key
        .verifying_key()
        .to_public_key_pem(LineEnding::LF);
    std::fs::write(bed.path("key.pub"), pem.unwrap()).unwrap();
    let tcti = bed.swtpm.as_ref().unwrap().tcti();
    let done = Command::new(env!("CARGO_BIN_EXE_unseal"))
        .current_dir(bed.directory.path())
        .args(["provision", "--tpm", &tcti, "--state", "state"])
        .args(["--release", "release.cose", "--release-key", "key.pub"])
        .args(["--site-key", "key.pub", "--firmware-log", "firmware.log"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(4));
    let said = String::from_utf8(done.stderr).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with(
            "unseal: cannot set up the appliance on this TPM: the TPM is locked out: "
        ),
        "{said}"
    );
    assert!(
        lines[1].starts_with("  code tpm.lockout; Leave the machine on"),
        "{said}"
    );
    assert_eq!(lines.len(), 2);
}

/// Nothing of ours is protected by what an attacker can lock.
#[test]
fn whoever_locks_the_tpm_does_not_lock_the_appliance_out() {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    drop(tpm);
    lock_out(&bed);
    let tpm = bed.tpm();
    assert!(tpm.permanent().unwrap().in_lockout);
    let handover = bed.open(&tpm).unwrap();
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    storage.increment_counter(&handover.counter_auth()).unwrap();
    bed.assert_clean(&tpm);
}

#[test]
fn a_tpm_that_no_firmware_started_is_said() {
    let bed = Bed::new();
    let error = bed.tpm().attestation_key().unwrap_err();
    assert_eq!(error.stable().id, "tpm.not-started");
    assert_eq!(casemate_device::code::exit(error.stable()), 3);
}

#[test]
fn a_hierarchy_that_the_firmware_switched_off_is_said() {
    let bed = Bed::new();
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    raw.run(STARTUP, &[], &[], &[0, 0]).unwrap();
    let off = [&ENDORSEMENT.to_be_bytes()[..], &[0]].concat();
    raw.run(HIERARCHY_CONTROL, &[PLATFORM], &[(PASSWORD, &[])], &off)
        .unwrap();
    drop(raw);
    let tpm = bed.start();
    let error = tpm.attestation_key().unwrap_err();
    assert_eq!(error.stable().id, "tpm.disabled", "{error}");
    bed.assert_clean(&tpm);
}

/// Registers that nobody keeps must not read as an empty list, or anything could be sealed to them.
#[test]
fn a_tpm_whose_sha256_bank_is_not_in_use_is_said() {
    let mut bed = Bed::new();
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    raw.run(STARTUP, &[], &[], &[0, 0]).unwrap();
    // TPM2_PCR_Allocate: SHA-1 with all registers, the others with none.
    let mut banks = 4u32.to_be_bytes().to_vec();
    for (bank, bits) in [(0x04, 0xFF), (0x0B, 0), (0x0C, 0), (0x0D, 0)] {
        banks.extend([0, bank, 3, bits, bits, bits]);
    }
    raw.run(0x12B, &[PLATFORM], &[(PASSWORD, &[])], &banks)
        .unwrap();
    drop(raw);
    bed.reset();
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    raw.run(STARTUP, &[], &[], &[0, 0]).unwrap();
    drop(raw);
    let tpm = bed.tpm();
    assert_eq!(tpm.status().unwrap().banks, ["sha1"]);
    let error = tpm.pcrs(&[7, 11]).unwrap_err();
    assert_eq!(error.to_string(), "the TPM has no PCR 7 in a SHA-256 bank");
    assert_eq!(error.stable().id, "tpm.bank");
    assert_eq!(bed.provision(&tpm).unwrap_err().code().id, "tpm.bank");
    assert!(!bed.path("state/root.cbor").exists());
}

#[test]
fn other_states_have_codes_of_their_own() {
    for (response, id) in [
        (0x101, "tpm.failure-mode"),
        (0x902, "tpm.full"),
        (0x903, "tpm.full"),
        (0x14B, "tpm.full"),
        (0x120, "tpm.disabled"),
        (0x920, "tpm.busy"),
        (0x922, "tpm.busy"),
        (0x921, "tpm.lockout"),
        (0x1C4, "tpm.failed"),
    ] {
        let error = casemate_device::TpmError::Refused {
            command: "TPM2_Test",
            code: ResponseCode(response),
        };
        assert_eq!(error.stable().id, id, "{response:#x}");
    }
}

/// The platform's maker writes the certificate, some of them into an index longer than it is.
#[test]
fn the_certificate_of_the_endorsement_key_is_read_without_its_padding() {
    let bed = Bed::new();
    let der = [&[0x30, 0x82, 0x02, 0x10][..], &[0x5A; 0x210]].concat();
    let padded = [der.as_slice(), &[0xFF; 430]].concat();
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    raw.run(STARTUP, &[], &[], &[0, 0]).unwrap();
    write_index(&mut raw, 0x01C0_000A, &padded);
    write_index(&mut raw, 0x01C0_0002, &[0xFF; 600]);
    drop(raw);
    let tpm = bed.start();
    assert_eq!(tpm.ek_certificate().unwrap(), Some(der));
    let status = tpm.status().unwrap();
    assert!(status.ek_certificate && status.ek_certificate_rsa);
    bed.assert_clean(&tpm);
}

#[test]
fn an_index_without_a_certificate_is_none() {
    let bed = Bed::new();
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    raw.run(STARTUP, &[], &[], &[0, 0]).unwrap();
    write_index(&mut raw, 0x01C0_000A, &[0xFF; 600]);
    drop(raw);
    assert_eq!(bed.start().ek_certificate().unwrap(), None);
}

/// An index as the platform's maker defines it: platform-created, readable with its empty
/// authorisation and the owner's, not protected by dictionary-attack logic.
fn write_index(raw: &mut Raw, index: u32, content: &[u8]) {
    let size = u16::try_from(content.len()).unwrap();
    let public = casemate_attest::sealing::nv_public(index, 0x4206_0001, &[], size);
    let define = [sized(&[]), sized(&public)].concat();
    raw.run(0x12A, &[PLATFORM], &[(PASSWORD, &[])], &define)
        .unwrap();
    for (at, part) in content.chunks(512).enumerate() {
        let offset = u16::try_from(at * 512).unwrap();
        let write = [sized(part), offset.to_be_bytes().to_vec()].concat();
        raw.run(0x137, &[PLATFORM, index], &[(PASSWORD, &[])], &write)
            .unwrap();
    }
}

#[test]
fn a_tpm_describes_itself() {
    let bed = Bed::new();
    let tpm = bed.start();
    let status = tpm.status().unwrap();
    assert_eq!(status.manufacturer, "IBM");
    assert!(status.model.starts_with("SW"), "{}", status.model);
    assert!(status.revision.starts_with("1."), "{}", status.revision);
    assert_eq!(status.firmware.split('.').count(), 4);
    assert!(status.banks.iter().any(|bank| bank == "sha256"));
    assert!(!status.permanent.owner_set && !status.permanent.in_lockout);
    assert!(!status.ek_certificate);
    bed.provision(&tpm).unwrap();
    assert!(tpm.status().unwrap().permanent.owner_set);
}
