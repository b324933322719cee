//! Committed vectors: evidence by software TPMs, with the verdict that each must get. A folder
//! that is not listed here fails the test.
//!
//! Recipes: `cargo test -p casemate-device --test evidence -- --ignored regenerate`, and for
//! `ovmf-secboot` `make test-boot` (see its README).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};

use casemate_attest::digest::Digest;
use casemate_attest::evidence::{Evidence, MEMBERS};
use casemate_attest::verdict::{Decision, Verdict};
use casemate_attest::verify::{Inputs, VerifyError, verify};
use coset::TaggedCborSerializable as _;
use ed25519_dalek::pkcs8::DecodePublicKey as _;

/// The moment that every vector is judged at.
const NOW: u64 = 1_800_000_000_000;
/// Folder and the verdict's line.
const VECTORS: [(&str, &str); 2] = [
    ("ovmf-secboot", "PASS (development root)"),
    ("swtpm-development", "PASS (development root)"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

struct Vector {
    evidence: Vec<u8>,
    enrolment: Vec<u8>,
    challenge: Vec<u8>,
    secret: Vec<u8>,
    audit: Vec<u8>,
    owner_key: ed25519_dalek::VerifyingKey,
    release_key: p256::ecdsa::VerifyingKey,
}

impl Vector {
    fn read(name: &str) -> Self {
        let file = |file: &str| fs::read(root().join(name).join(file)).unwrap();
        let pem = |name: &str| String::from_utf8(file(name)).unwrap();
        Self {
            evidence: file("evidence"),
            enrolment: file("enrolment"),
            challenge: file("challenge"),
            secret: file("challenge.secret"),
            audit: file("audit"),
            owner_key: ed25519_dalek::VerifyingKey::from_public_key_pem(&pem("owner.pub")).unwrap(),
            release_key: p256::ecdsa::VerifyingKey::from_public_key_pem(&pem("release.pub"))
                .unwrap(),
        }
    }

    fn judge(&self, evidence: &[u8]) -> Result<Verdict, VerifyError> {
        verify(&Inputs {
            evidence,
            enrolment: &self.enrolment,
            owner_key: &self.owner_key,
            release_key: &self.release_key,
            challenge: Some(&self.challenge),
            secret: Some(&self.secret),
            export: Some(&self.audit),
            now_ms: NOW,
            accept_development: true,
        })
    }
}

#[test]
fn each_vector_gets_its_verdict() {
    for (name, line) in VECTORS {
        let vector = Vector::read(name);
        let verdict = vector.judge(&vector.evidence).unwrap();
        assert_eq!(verdict.line(), line, "{name}: {}", verdict.text());
    }
}

#[test]
fn no_folder_is_unlisted() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            VECTORS.iter().any(|(listed, _)| *listed == name),
            "{name} is not listed"
        );
    }
}

#[test]
fn no_byte_of_a_vector_can_be_changed() {
    for (name, _) in VECTORS {
        let vector = Vector::read(name);
        // A big one is sampled: a genuine log's bytes are all changed elsewhere, without signatures.
        let stride = if vector.evidence.len() > 8192 { 7 } else { 1 };
        for at in (0..vector.evidence.len()).step_by(stride) {
            let mut altered = vector.evidence.clone();
            altered[at] ^= 0x10;
            if let Ok(verdict) = vector.judge(&altered) {
                assert_eq!(verdict.decision(), Decision::Fail, "{name}: byte {at}");
            }
        }
    }
}

/// Each member's bytes changed inside the member, its framing intact: the member's own code.
#[test]
fn an_altered_member_of_a_vector_is_named() {
    for (name, _) in VECTORS {
        let vector = Vector::read(name);
        let evidence = Evidence::from_bytes(&vector.evidence).unwrap();
        for (at, member) in MEMBERS.iter().enumerate().skip(1) {
            let mut body = evidence.body().clone();
            match *member {
                "challenge" => body.challenge[10] ^= 1,
                "enrolment" => body.enrolment = Digest::ZERO,
                "ek_public" => body.ek_public[40] ^= 1,
                "ek_certificate" => body.ek_certificate.push(0),
                "ak_public" => body.ak_public[40] ^= 1,
                "activation" => body.activation[0] ^= 1,
                "release" => body.release[100] ^= 1,
                "firmware_log" => body.firmware_log[100] ^= 1,
                "runtime_log" => body.runtime_log[100] ^= 1,
                "log_key" => body.log_key.attest[60] ^= 1,
                "audit" => body.audit.note[5] ^= 1,
                "artifacts" => body.artifacts.push(vec![0x80].into()),
                "clock" => body.clock.wall_ms += 1,
                "statements" => body.statements.clear(),
                other => panic!("{other} is not altered"),
            }
            assert_ne!(body.member_digests()[at], evidence.body().digests[at]);
            let altered = Evidence::new(body, evidence.quotes().to_vec()).to_bytes();
            let failures = vector.judge(&altered).unwrap().failures();
            let own = format!("member.{member}");
            assert!(failures.contains(&own.as_str()), "{member}: {failures:?}");
            assert!(
                failures.contains(&"quote.qualifying"),
                "{member}: {failures:?}"
            );
        }
    }
}

/// Seeds for the fuzz targets (attest/fuzz/README.md): the vectors, and their parts.
#[test]
#[ignore = "writes the fuzz targets' seeds"]
fn write_fuzz_seeds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let seed = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(corpus.join(target)).unwrap();
        fs::write(corpus.join(target).join(name), bytes).unwrap();
    };
    for (name, _) in VECTORS {
        let vector = Vector::read(name);
        seed("evidence", name, &vector.evidence);
        seed("evidence", &format!("{name}-challenge"), &vector.challenge);
        seed("evidence", &format!("{name}-secret"), &vector.secret);
        seed("export", name, &vector.audit);
        let evidence = Evidence::from_bytes(&vector.evidence).unwrap();
        let body = evidence.body();
        seed("event_log", &format!("{name}-firmware"), &body.firmware_log);
        seed("event_log", &format!("{name}-runtime"), &body.runtime_log);
        seed("checkpoint", name, &body.audit.note);
        seed("release", name, &body.release);
        if let Ok(cose) = coset::CoseSign1::from_tagged_slice(&body.release) {
            let payload = cose.payload.unwrap_or_default();
            seed("release", &format!("{name}-payload"), &payload);
        }
        seed("tpm_structures", &format!("{name}-ek"), &body.ek_public);
        seed(
            "tpm_structures",
            &format!("{name}-certify"),
            &body.log_key.attest,
        );
    }
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/predict/uki.efi");
    seed("pe", "uki.efi", &fs::read(image).unwrap());
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
    for entry in fs::read_dir(keys).unwrap() {
        let folder = entry.unwrap().path();
        for file in ["public", "attest", "signature"] {
            if let Ok(bytes) = fs::read(folder.join(file)) {
                let kind = folder.file_name().unwrap().to_str().unwrap();
                seed("tpm_structures", &format!("{kind}-{file}"), &bytes);
            }
        }
    }
}
