//! Quotes, credentials, certification: genuine ones pass the verifier, hostile ones of the same
//! TPM do not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use bed::Bed;
use bed::raw::{ENDORSEMENT, NULL, OWNER, PASSWORD, Raw, sized};
use casemate_attest::credential;
use casemate_attest::digest::Digest;
use casemate_attest::evidence::{POLICY_PCRS, RawQuote};
use casemate_attest::quote::{AttestationKey as TrustedKey, QuoteError, VerifiedQuote};
use casemate_attest::sealing;
use casemate_attest::tpm::attest::CertifyInfo;
use casemate_attest::tpm::public::Public;
use casemate_attest::tpm::signature::RawSignature;
use casemate_device::{Handover, Tpm, TpmError};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::{Digest as _, Sha256};

/// An opened appliance.
fn opened() -> (Bed, Tpm, Handover) {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    let handover = bed.open(&tpm).unwrap();
    (bed, tpm, handover)
}

fn trusted(tpm: &Tpm) -> (TrustedKey, Vec<u8>) {
    let ek = tpm.ek_public().unwrap();
    let public = tpm.attestation_key().unwrap().public();
    let key = TrustedKey::check(&public, &Public::from_sized(&ek).unwrap()).unwrap();
    (key, public)
}

fn qualifying() -> Digest {
    Digest::of(b"challenge")
}

/// The template that a key was made from, out of its TPM2B_PUBLIC.
fn template(public: &[u8], seed: &[u8]) -> Vec<u8> {
    let mut template = public[2..public.len() - 68].to_vec();
    template.extend(sized(&Sha256::digest(seed)));
    template.extend(sized(&[0; 32]));
    template
}

#[test]
fn a_genuine_quote_verifies_with_its_clock() {
    let (bed, tpm, _) = opened();
    let (key, _) = trusted(&tpm);
    let raw = tpm.attestation_key().unwrap().quote(&qualifying()).unwrap();
    let quote = VerifiedQuote::check(&raw, &key, &qualifying()).unwrap();
    let clock = tpm.clock().unwrap();
    assert_eq!(
        (quote.clock().resets, quote.clock().restarts),
        (clock.clock.resets, clock.clock.restarts)
    );
    assert!(quote.clock().ms <= clock.clock.ms);
    assert_ne!(quote.value(15), Some(&Digest::ZERO));
    bed.assert_clean(&tpm);
}

#[test]
fn the_attestation_key_is_the_same_after_a_reset_and_the_reset_is_counted() {
    let mut bed = Bed::new();
    let tpm = bed.start();
    let (_, first) = trusted(&tpm);
    let before = tpm.clock().unwrap().clock.resets;
    drop(tpm);
    bed.reset();
    let tpm = bed.start();
    assert_eq!(trusted(&tpm).1, first);
    assert_eq!(tpm.clock().unwrap().clock.resets, before + 1);
}

#[test]
fn a_credential_opens_only_for_this_key_on_this_tpm() {
    let (bed, tpm, _) = opened();
    let ek = tpm.ek_public().unwrap();
    let ak = tpm.attestation_key().unwrap();
    let name = ak.name().to_vec();
    let made = credential::make(&ek, &name, &[5; 32], &[9; 32]).unwrap();
    assert_eq!(
        ak.activate(&made.id_object, &made.encrypted_secret)
            .unwrap(),
        [5; 32]
    );
    // For another key's Name, of the same TPM.
    let other = credential::make(&ek, &sealing::name(b"other"), &[5; 32], &[9; 32]).unwrap();
    let error = ak
        .activate(&other.id_object, &other.encrypted_secret)
        .unwrap_err();
    assert!(matches!(error, TpmError::Refused { .. }), "{error}");
    // For another TPM.
    let elsewhere = Bed::new();
    let foreign = elsewhere.start().ek_public().unwrap();
    let other = credential::make(&foreign, &name, &[5; 32], &[9; 32]).unwrap();
    ak.activate(&other.id_object, &other.encrypted_secret)
        .unwrap_err();
    // Not a credential at all.
    ak.activate(&[0, 1, 0], &[0, 0]).unwrap_err();
    drop(ak);
    bed.assert_clean(&tpm);
}

#[test]
fn the_log_key_is_certified_and_signs_with_its_authorisation_only() {
    let (bed, tpm, handover) = opened();
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    let log = storage.log_key(&handover.log_key_name).unwrap();
    let ak = tpm.attestation_key().unwrap();
    let auth = handover.log_auth();
    let (attest, signature) = ak.certify(&log, &auth, &qualifying()).unwrap();
    let info = CertifyInfo::from_bytes(&attest).unwrap();
    assert_eq!(info.name, log.name());
    let (key, _) = trusted_of(&tpm, &ak);
    RawSignature::from_bytes(&signature)
        .unwrap()
        .verify(key.public(), &attest)
        .unwrap();
    drop(ak);
    let digest = *Digest::of(b"checkpoint").as_bytes();
    let signed = log.sign(&auth, &digest).unwrap();
    let public = Public::from_sized(&log.public()).unwrap();
    let signed = RawSignature::from_bytes(&signed).unwrap();
    assert!(signed.is_normalised());
    signed.verify_digest(&public, &digest).unwrap();
    // The wrong authorisation signs nothing, leaves nothing loaded and locks nothing.
    let wrong = casemate_device::LogAuth::new([3; 32]);
    log.sign(&wrong, &digest).unwrap_err();
    let wrong = casemate_device::CounterAuth::new([3; 32]);
    storage.counter(&wrong).unwrap_err();
    storage.increment_counter(&wrong).unwrap_err();
    assert_eq!(tpm.permanent().unwrap().lockout_counter, 0);
    assert!(storage.log_key(&sealing::name(b"other")).is_err());
    bed.assert_clean(&tpm);
}

fn trusted_of(tpm: &Tpm, ak: &casemate_device::AttestationKey) -> (TrustedKey, Vec<u8>) {
    let ek = Public::from_sized(&tpm.ek_public().unwrap()).unwrap();
    (TrustedKey::check(&ak.public(), &ek).unwrap(), ak.public())
}

#[test]
fn what_a_killed_process_left_loaded_is_flushed_at_the_next_open() {
    let bed = Bed::new();
    let tpm = bed.start();
    let (_, public) = trusted(&tpm);
    drop(tpm);
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    for _ in 0..3 {
        raw.primary(ENDORSEMENT, &template(&public, b"casemate ak v1"));
    }
    drop(raw);
    let tpm = bed.tpm();
    bed.assert_clean(&tpm);
    trusted(&tpm);
}

/// The attacker's bed: attestation key loaded through a bare connection, and the trusted key.
fn hostile() -> (Bed, Raw, u32, TrustedKey, Vec<u8>, RawQuote) {
    let bed = Bed::new();
    let tpm = bed.start();
    let (key, public) = trusted(&tpm);
    let genuine = tpm.attestation_key().unwrap().quote(&qualifying()).unwrap();
    VerifiedQuote::check(&genuine, &key, &qualifying()).unwrap();
    drop(tpm);
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    let ak = raw.primary(ENDORSEMENT, &template(&public, b"casemate ak v1"));
    (bed, raw, ak, key, public, genuine)
}

fn quote_parameters(registers: &[u8]) -> Vec<u8> {
    let mut p = sized(qualifying().as_bytes());
    p.extend([0x00, 0x10]);
    p.extend(sealing::pcr_selection(registers));
    p
}

fn rejected(forged: (Vec<u8>, Vec<u8>), genuine: &RawQuote, key: &TrustedKey) -> QuoteError {
    let signature = casemate_attest::tpm::signature::normalised(&forged.1);
    let raw = RawQuote {
        attest: forged.0,
        signature,
        pcrs: genuine.pcrs.clone(),
    };
    VerifiedQuote::check(&raw, key, &qualifying()).unwrap_err()
}

#[test]
fn a_register_relabelled_from_a_resettable_one_is_rejected() {
    for resettable in [16, 23] {
        let (_bed, mut raw, ak, key, _, genuine) = hostile();
        // PCR 7's history replayed into a register that anyone may reset.
        let history: Vec<_> = bed::boot()
            .into_iter()
            .filter(|e| e.register == 7)
            .collect();
        for event in history {
            let mut p = vec![0, 0, 0, 1, 0, 0x0B];
            p.extend(Digest::of(&event.data).as_bytes());
            raw.ask(0x182, &[u32::from(resettable)], 1, &p);
        }
        let mut registers: Vec<u8> = POLICY_PCRS.into_iter().filter(|r| *r != 7).collect();
        registers.push(resettable);
        let forged = raw.attest(0x158, &[ak], 1, &quote_parameters(&registers));
        let error = rejected(forged, &genuine, &key);
        assert!(matches!(error, QuoteError::Selection { .. }), "{error}");
        assert_eq!(error.code().id, "quote.selection");
    }
}

#[test]
fn a_quote_of_fewer_registers_is_rejected() {
    let (_bed, mut raw, ak, key, _, genuine) = hostile();
    let forged = raw.attest(0x158, &[ak], 1, &quote_parameters(&[0, 1, 2]));
    assert_eq!(
        rejected(forged, &genuine, &key).code().id,
        "quote.selection"
    );
}

#[test]
fn other_attestations_signed_by_the_same_key_are_not_quotes() {
    let (_bed, mut raw, ak, key, _, genuine) = hostile();
    let scheme = [sized(qualifying().as_bytes()), vec![0x00, 0x10]].concat();
    // TPM2_GetTime.
    let time = raw.attest(0x14C, &[ENDORSEMENT, ak], 2, &scheme);
    // TPM2_Certify of the key by itself.
    let certify = raw.attest(0x148, &[ak, ak], 2, &scheme);
    // TPM2_NV_Certify of an index whose content looks like the rest of a quote.
    let public = sealing::nv_public(0x0180_0001, 0x0004_0004, &[], 32);
    let define = [sized(&[]), sized(&public)].concat();
    raw.run(0x12A, &[OWNER], &[(PASSWORD, &[])], &define)
        .unwrap();
    let write = [sized(&[0xAB; 32]), vec![0, 0]].concat();
    raw.run(
        0x137,
        &[0x0180_0001, 0x0180_0001],
        &[(PASSWORD, &[])],
        &write,
    )
    .unwrap();
    let p = [&scheme[..], &[0, 32, 0, 0]].concat();
    let nv = raw.attest(0x184, &[ak, 0x0180_0001, 0x0180_0001], 2, &p);
    for forged in [time, certify, nv] {
        // Each is genuinely the key's: only its kind is another.
        let signature = RawSignature::from_bytes(&forged.1).unwrap();
        signature.verify(key.public(), &forged.0).unwrap();
        assert_eq!(rejected(forged, &genuine, &key).code().id, "quote.kind");
    }
}

#[test]
fn an_unrestricted_key_of_the_same_tpm_forges_nothing() {
    let (_bed, mut raw, ak, key, public, genuine) = hostile();
    // The same template without `restricted`.
    let mut loose = template(&public, b"loose");
    loose[5] &= !0x01;
    let handle = raw.primary(ENDORSEMENT, &loose);
    let sign = |attest: &[u8]| {
        let mut p = sized(&Sha256::digest(attest));
        p.extend([0x00, 0x10, 0x80, 0x24]);
        p.extend(NULL.to_be_bytes());
        p.extend([0, 0]);
        p
    };
    let signature = raw.ask(0x15D, &[handle], 1, &sign(&genuine.attest));
    let error = rejected((genuine.attest.clone(), signature), &genuine, &key);
    assert_eq!(error.code().id, "quote.signature");
    // Shown as an attestation key it is refused for its attributes.
    let answer = raw.run(0x173, &[handle], &[], &[]).unwrap();
    let size = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
    raw.run(0x165, &[], &[], &ak.to_be_bytes()).unwrap();
    let ek = Public::from_sized(&public).unwrap();
    let error = TrustedKey::check(&answer[..2 + size], &ek).unwrap_err();
    assert_eq!(error.code().id, "ak.attributes");
}

#[test]
fn the_attestation_key_signs_no_outside_digest() {
    let (_bed, mut raw, ak, _, _, genuine) = hostile();
    let mut p = sized(&Sha256::digest(&genuine.attest));
    p.extend([0x00, 0x10, 0x80, 0x24]);
    p.extend(NULL.to_be_bytes());
    p.extend([0, 0]);
    // TPM_RC_TICKET for parameter 3: a restricted key wants proof that the digest is of
    // outside bytes that do not begin as a TPM's own.
    assert_eq!(raw.run(0x15D, &[ak], &[(PASSWORD, &[])], &p), Err(0x3E0));
}

#[test]
fn a_key_outside_the_endorsement_hierarchy_is_rejected() {
    let (_bed, mut raw, ak, _, public, genuine) = hostile();
    raw.run(0x165, &[], &[], &ak.to_be_bytes()).unwrap();
    let owned = raw.primary(OWNER, &template(&public, b"casemate ak v1"));
    let answer = raw.run(0x173, &[owned], &[], &[]).unwrap();
    let size = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
    let ek = Public::from_sized(&public).unwrap();
    let key = TrustedKey::check(&answer[..2 + size], &ek).unwrap();
    let forged = raw.attest(0x158, &[owned], 1, &quote_parameters(&POLICY_PCRS));
    assert_eq!(rejected(forged, &genuine, &key).code().id, "quote.signer");
}

#[test]
fn another_nonce_another_spelling_and_edited_bytes_are_rejected() {
    let (_bed, _raw, _ak, key, _, genuine) = hostile();
    let other = VerifiedQuote::check(&genuine, &key, &Digest::of(b"other")).unwrap_err();
    assert_eq!(other.code().id, "quote.qualifying");
    let mut other_spelling = genuine.clone();
    let s = negated(&genuine.signature[40..]);
    other_spelling.signature[40..].copy_from_slice(&s);
    let error = VerifiedQuote::check(&other_spelling, &key, &qualifying()).unwrap_err();
    assert_eq!(error.code().id, "quote.spelling");
    for at in 0..genuine.attest.len() {
        let mut edited = genuine.clone();
        edited.attest[at] ^= 1;
        VerifiedQuote::check(&edited, &key, &qualifying()).unwrap_err();
    }
    let mut values = genuine.clone();
    values.pcrs[7].value = Digest::of(b"better");
    let error = VerifiedQuote::check(&values, &key, &qualifying()).unwrap_err();
    assert_eq!(error.code().id, "quote.digest");
    // A forger's own key, for completeness of the tuple.
    let forger = bed::key(3);
    let forged: p256::ecdsa::Signature = forger
        .sign_prehash(&Sha256::digest(&genuine.attest))
        .unwrap();
    let (r, s) = forged.split_bytes();
    let signature = [vec![0, 0x18, 0, 0x0B], sized(&r), sized(&s)].concat();
    let error = rejected((genuine.attest.clone(), signature), &genuine, &key);
    assert_eq!(error.code().id, "quote.signature");
}

/// `n - s`, the other valid spelling of an ECDSA signature.
fn negated(s: &[u8]) -> [u8; 32] {
    use p256::elliptic_curve::PrimeField as _;
    let s = p256::Scalar::from_repr(*p256::FieldBytes::from_slice(s)).unwrap();
    (-s).to_bytes().into()
}
