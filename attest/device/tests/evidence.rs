//! Evidence by a real (software) TPM, judged by the verifier: the round trip of challenge,
//! activation, certification, quote. Also writes the vector that the verifier's own tests read:
//!
//! `cargo test -p casemate-device --test evidence -- --ignored regenerate`
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod bed;

use std::path::{Path, PathBuf};

use bed::raw::{PASSWORD, Raw};
use bed::{Bed, log};
use casemate_attest::artifacts::{Artifact, Manifest};
use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::checkpoint::{Checkpoint, Origin, cosigned_digest};
use casemate_attest::credential;
use casemate_attest::digest::Digest;
use casemate_attest::enrolment::{Appliance, Enrolment, EnrolmentRequest, Root};
use casemate_attest::evidence::{
    AuditHead, Body, Clock, Evidence, FORMAT, LogKey, Statement, log_key_qualifying,
};
use casemate_attest::leaf::{Leaf, TpmClock};
use casemate_attest::verdict::Verdict;
use casemate_attest::verify::{Inputs, verify};
use casemate_attest::{export, merkle, sealing, tpm};
use casemate_device::{Handover, Tpm};
use ed25519_dalek::SigningKey;

/// `TPM_CC_PCR_Extend`.
const PCR_EXTEND: u32 = 0x0182;
/// The moment that the vector is judged at, milliseconds since 1970.
const NOW: u64 = 1_800_000_000_000;

fn audit_key() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&[6; 32])
}

fn origin() -> Origin {
    Origin::new("casemate.vector/audit").unwrap()
}

/// What the auditor's side and the appliance's side write.
struct Files {
    enrolment: Vec<u8>,
    challenge: Vec<u8>,
    secret: Vec<u8>,
    evidence: Vec<u8>,
    export: Vec<u8>,
    release_key: p256::ecdsa::VerifyingKey,
}

impl Files {
    fn verdict(&self, evidence: &[u8]) -> Verdict {
        verify(&Inputs {
            evidence,
            enrolment: &self.enrolment,
            owner_key: &owner_key().verifying_key(),
            release_key: &self.release_key,
            challenge: Some(&self.challenge),
            secret: Some(&self.secret),
            export: Some(&self.export),
            now_ms: NOW,
            accept_development: true,
        })
        .unwrap()
    }
}

fn leaves() -> Vec<Vec<u8>> {
    let leaf = |seq| Leaf {
        version: 1,
        seq,
        kind: "job.finished".to_owned(),
        wall_ms: NOW,
        boot_ms: 1000,
        tpm: TpmClock {
            ms: 1,
            resets: 1,
            restarts: 0,
        },
        tenant: [7; 16],
        subject: [8; 16],
        nonce: [9; 12],
        ciphertext: vec![1; 32],
    };
    (0..5).map(|seq| leaf(seq).to_bytes()).collect()
}

fn checkpoint() -> Checkpoint {
    let hashes: Vec<Digest> = leaves()
        .iter()
        .map(|leaf| merkle::leaf_hash(leaf))
        .collect();
    Checkpoint {
        origin: origin(),
        size: 5,
        root: merkle::root(&hashes),
    }
}

fn request(bed: &Bed, tpm: &Tpm) -> EnrolmentRequest {
    let values = tpm.pcrs(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    let pcrs: Vec<Digest> = values
        .iter()
        .map(|(_, value)| Digest::new(*value))
        .collect();
    EnrolmentRequest::new(Appliance {
        ek_public: tpm.ek_public().unwrap(),
        ek_certificate: tpm.ek_certificate().unwrap().unwrap_or_default(),
        ak_public: tpm.attestation_key().unwrap().public(),
        pcrs: pcrs.try_into().unwrap(),
        firmware_log: Digest::of(&log(&bed.boot)),
        floor_name: sealing::floor_name(),
        audit_origin: origin(),
        audit_key: audit_key().verifying_key().to_bytes(),
    })
}

/// A challenge and its side file.
fn challenge(request: &EnrolmentRequest) -> (Vec<u8>, Vec<u8>) {
    let secret = [0x5a; 32];
    let ak = tpm::public::Public::from_sized(&request.ak_public).unwrap();
    let made = credential::make(&request.ek_public, ak.name(), &secret, &[0x11; 32]).unwrap();
    let mut challenge = Challenge::new([0x33; 32], "vector", NOW - 1000, NOW + 1000);
    challenge.enrolment = request.id();
    challenge.credential = made.id_object;
    challenge.encrypted_secret = made.encrypted_secret;
    let bytes = challenge.to_bytes();
    let side = ChallengeSecret::new(&bytes, secret).to_bytes();
    (bytes, side)
}

fn evidence(
    bed: &Bed,
    tpm: &Tpm,
    handover: &Handover,
    request: &EnrolmentRequest,
    asked: &[u8],
) -> Evidence {
    let challenge = Challenge::from_bytes(asked).unwrap();
    let ak = tpm.attestation_key().unwrap();
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    let log_key = storage.log_key(&handover.log_key_name).unwrap();
    let auth = handover.log_auth();
    let qualifying = log_key_qualifying(&request.id());
    let (attest, signature) = ak.certify(&log_key, &auth, &qualifying).unwrap();
    let cosigned_ms = NOW - 10;
    let digest = cosigned_digest(&checkpoint(), cosigned_ms);
    let artifact = Artifact {
        name: "out/invoices.xlsx".to_owned(),
        media: "application/octet-stream".to_owned(),
        size: 3,
        sha256: Digest::of(b"abc"),
    };
    let manifest = Manifest::new([0xaa; 16], Digest::of(b"spec"), vec![artifact]);
    let body = Body {
        format: FORMAT.to_owned(),
        challenge: asked.to_vec(),
        enrolment: request.id(),
        ek_public: request.ek_public.clone(),
        ek_certificate: request.ek_certificate.clone(),
        ak_public: ak.public(),
        activation: ak
            .activate(&challenge.credential, &challenge.encrypted_secret)
            .unwrap(),
        release: bed.release(),
        firmware_log: log(&bed.boot),
        runtime_log: bed.runtime_log().bytes().unwrap(),
        log_key: LogKey {
            public: log_key.public(),
            attest,
            signature,
        },
        audit: AuditHead {
            note: checkpoint().sign(&audit_key()).into_bytes(),
            key: audit_key().verifying_key().to_bytes(),
            cosigned_ms,
            cosignature: log_key.sign(&auth, digest.as_bytes()).unwrap(),
        },
        artifacts: vec![manifest.sign(&audit_key()).into()],
        clock: Clock {
            wall_ms: NOW,
            boot_ms: 1000,
            tpm: tpm.clock().unwrap().clock,
        },
        statements: vec![Statement {
            name: "host".to_owned(),
            value: "vector".to_owned(),
        }],
        digests: vec![],
    }
    .sealed();
    let quote = ak.quote(&body.qualifying()).unwrap();
    Evidence::new(body, vec![quote])
}

/// Enrolment, challenge, evidence: on one TPM.
fn round_trip(bed: &Bed, tpm: &Tpm, handover: &Handover) -> Files {
    let request = request(bed, tpm);
    let (challenge, secret) = challenge(&request);
    let evidence = evidence(bed, tpm, handover, &request, &challenge);
    let leaves = leaves();
    let note = checkpoint().sign(&audit_key());
    let key = audit_key().verifying_key();
    Files {
        enrolment: Enrolment::sign(&request, Root::Development, "vector", NOW, &owner_key()),
        challenge,
        secret,
        evidence: evidence.to_bytes(),
        export: export::write(&origin(), leaves.iter().map(Vec::as_slice), &note, &key),
        release_key: *bed.release_key.verifying_key(),
    }
}

fn opened() -> (Bed, Tpm, Handover) {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    let handover = bed.open(&tpm).unwrap();
    (bed, tpm, handover)
}

#[test]
fn evidence_of_a_tpm_passes() {
    let (bed, tpm, handover) = opened();
    let files = round_trip(&bed, &tpm, &handover);
    let verdict = files.verdict(&files.evidence);
    assert_eq!(
        verdict.line(),
        "PASS (development root)",
        "{}",
        verdict.text()
    );
    bed.assert_clean(&tpm);
}

#[test]
fn evidence_of_another_tpm_is_rejected() {
    let (bed, tpm, handover) = opened();
    let files = round_trip(&bed, &tpm, &handover);
    let (other_bed, other_tpm, other_handover) = opened();
    let other = round_trip(&other_bed, &other_tpm, &other_handover);
    let verdict = files.verdict(&other.evidence);
    let failures = verdict.failures();
    for code in [
        "challenge.other",
        "enrolment.other",
        "ek.other",
        "ak.other",
        "quote.signature",
    ] {
        assert!(failures.contains(&code), "{code} in {failures:?}");
    }
}

/// A register extended behind the logs' back.
#[test]
fn a_measurement_that_no_log_has_is_named() {
    let (bed, tpm, handover) = opened();
    drop(tpm);
    let stranger = Digest::of(b"a command line of a stranger");
    let values = [&[0, 0, 0, 1, 0x00, 0x0b][..], stranger.as_bytes()].concat();
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    raw.run(PCR_EXTEND, &[12], &[(PASSWORD, b"")], &values)
        .unwrap();
    drop(raw);
    let tpm = bed.tpm();
    let files = round_trip(&bed, &tpm, &handover);
    assert_eq!(files.verdict(&files.evidence).failures(), ["log.absent"]);
}

#[test]
#[ignore = "writes the committed vector"]
fn regenerate() {
    use p256::pkcs8::{EncodePublicKey as _, LineEnding};
    let (bed, tpm, handover) = opened();
    let files = round_trip(&bed, &tpm, &handover);
    let folder = vectors().join("swtpm-development");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("enrolment", &files.enrolment);
    write("challenge", &files.challenge);
    write("challenge.secret", &files.secret);
    write("evidence", &files.evidence);
    write("audit", &files.export);
    let release = files.release_key.to_public_key_pem(LineEnding::LF).unwrap();
    write("release.pub", release.as_bytes());
    let owner = ed25519_dalek::pkcs8::EncodePublicKey::to_public_key_pem(
        &owner_key().verifying_key(),
        LineEnding::LF,
    );
    write("owner.pub", owner.unwrap().as_bytes());
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}
