//! Every member of an evidence altered, in three ways, each rejected.
//!
//! 1. One bit of the file flipped, for every byte of it.
//! 2. The member replaced by another well-formed value: rejected with the member's own code.
//! 3. The same with the list of digests put right again: the quote rejects it.
//!
//! The table must name every member; one that is missing fails the test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::digest::Digest;
use casemate_attest::evidence::{Body, Evidence, MEMBERS, Statement};
use casemate_attest::verdict::{Decision, Verdict};
use stand::{Auditor, NOW, Stand, event, sign, signing_public};

type Alteration = fn(&mut Body);

/// Member, another well-formed value, and a code that the verdict must have besides
/// `member.<name>` and `quote.qualifying`.
fn alterations() -> Vec<(&'static str, Alteration, Option<&'static str>)> {
    vec![
        (
            "challenge",
            |body| body.challenge = other_challenge(),
            Some("challenge.other"),
        ),
        (
            "enrolment",
            |body| body.enrolment = Digest::of(b"other"),
            Some("enrolment.other"),
        ),
        (
            "ek_public",
            |body| body.ek_public = other_stand().ek_public(),
            Some("ek.other"),
        ),
        (
            "ek_certificate",
            |body| body.ek_certificate = vec![0x30, 0],
            Some("ek.certificate"),
        ),
        (
            "ak_public",
            |body| body.ak_public = other_stand().ak_public(),
            Some("ak.other"),
        ),
        (
            "activation",
            |body| body.activation = vec![0x5b; 32],
            Some("activation.wrong"),
        ),
        (
            "release",
            |body| body.release = other_release(),
            Some("release.key"),
        ),
        ("firmware_log", alter_firmware, Some("log.firmware")),
        ("runtime_log", alter_runtime, Some("log.runtime")),
        ("log_key", alter_log_key, Some("log-key.name")),
        (
            "audit",
            |body| body.audit.cosigned_ms += 1,
            Some("audit.cosignature"),
        ),
        ("artifacts", alter_artifacts, Some("artifacts.signature")),
        (
            "clock",
            |body| body.clock.tpm.resets += 1,
            Some("clock.other"),
        ),
        ("statements", alter_statements, None),
    ]
}

fn other_stand() -> Stand {
    let key = |seed: u8| p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap();
    Stand {
        ek: key(21),
        ak: key(22),
        release_key: key(24),
        ..Stand::default()
    }
}

fn other_challenge() -> Vec<u8> {
    casemate_attest::challenge::Challenge::new([1; 32], "other", NOW, NOW + 1).to_bytes()
}

/// The same manifest, signed by a stranger's release key.
fn other_release() -> Vec<u8> {
    let stranger = other_stand();
    stranger.signed_release(&stranger.release_key, NOW + 1_000_000)
}

fn alter_firmware(body: &mut Body) {
    body.firmware_log
        .extend(event(4, stand::APPLICATION, b"another loader"));
}

fn alter_runtime(body: &mut Body) {
    body.runtime_log.extend(event(15, stand::IPL, b"again"));
}

fn alter_log_key(body: &mut Body) {
    body.log_key.public = signing_public(&other_stand().ak, stand::LOG_ATTRIBUTES);
}

fn alter_artifacts(body: &mut Body) {
    body.artifacts = vec![{
        let key = ed25519_dalek::SigningKey::from_bytes(&[77; 32]);
        casemate_attest::artifacts::Manifest::new([1; 16], Digest::ZERO, vec![])
            .sign(&key)
            .into()
    }];
}

fn alter_statements(body: &mut Body) {
    body.statements = vec![Statement {
        name: "host".to_owned(),
        value: "another".to_owned(),
    }];
}

fn genuine() -> (Stand, Auditor, Evidence) {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge);
    (stand, auditor, evidence)
}

fn judge(stand: &Stand, auditor: &Auditor, evidence: &Evidence) -> Verdict {
    stand.judge(auditor, &evidence.to_bytes()).unwrap()
}

#[test]
fn the_table_names_every_member() {
    let named: Vec<&str> = alterations().iter().map(|(name, ..)| *name).collect();
    // A file with another format name is no evidence: see `another_format_is_no_evidence`.
    assert_eq!([&["format"][..], &named].concat(), MEMBERS);
}

#[test]
fn another_value_is_rejected_by_its_own_code() {
    let (stand, auditor, evidence) = genuine();
    for (name, alter, besides) in alterations() {
        let mut body = evidence.body().clone();
        alter(&mut body);
        assert_ne!(&body, evidence.body(), "{name} was not altered");
        let altered = Evidence::new(body, evidence.quotes().to_vec());
        let verdict = judge(&stand, &auditor, &altered);
        assert_eq!(verdict.decision(), Decision::Fail, "{name}");
        let failures = verdict.failures();
        let own: Vec<&str> = failures
            .iter()
            .filter(|code| code.starts_with("member."))
            .copied()
            .collect();
        assert_eq!(own, [format!("member.{name}")], "{name}: {failures:?}");
        assert!(
            failures.contains(&"quote.qualifying"),
            "{name}: {failures:?}"
        );
        if let Some(code) = besides {
            // Logs and clock are held against a quote, and none holds when a member was altered.
            let measured = code.starts_with("log.") || code.starts_with("clock.");
            assert!(measured || failures.contains(&code), "{name}: {failures:?}");
        }
    }
}

#[test]
fn digests_put_right_do_not_help() {
    let (stand, auditor, evidence) = genuine();
    for (name, alter, _) in alterations() {
        let mut body = evidence.body().clone();
        alter(&mut body);
        let altered = Evidence::new(body.sealed(), evidence.quotes().to_vec());
        let failures = judge(&stand, &auditor, &altered).failures();
        assert!(
            failures.contains(&"quote.qualifying"),
            "{name}: {failures:?}"
        );
        assert!(
            !failures.iter().any(|code| code.starts_with("member.")),
            "{name}"
        );
    }
}

/// A TPM whose system lies: it quotes the altered body itself. Then the member's own check is
/// all that stands, and must.
#[test]
fn a_quote_over_the_altered_member_does_not_help() {
    let (stand, auditor, evidence) = genuine();
    for (name, alter, expected) in alterations() {
        let mut body = evidence.body().clone();
        alter(&mut body);
        let body = body.sealed();
        let quote = stand.quote(&body.qualifying());
        let verdict = judge(&stand, &auditor, &Evidence::new(body, vec![quote]));
        match expected {
            Some(code) => {
                let failures = verdict.failures();
                assert!(failures.contains(&code), "{name}: {failures:?}");
            }
            // What the appliance says of itself nobody checks.
            None => assert_eq!(verdict.decision(), Decision::Pass, "{name}"),
        }
    }
}

#[test]
fn an_altered_list_of_digests_is_told_from_an_altered_member() {
    let (stand, auditor, evidence) = genuine();
    for at in 0..MEMBERS.len() {
        let mut body = evidence.body().clone();
        body.digests[at] = Digest::of(b"other");
        let altered = Evidence::new(body, evidence.quotes().to_vec());
        let failures = judge(&stand, &auditor, &altered).failures();
        assert!(failures.contains(&"member.digests"), "{failures:?}");
        assert!(failures.contains(&"quote.qualifying"), "{failures:?}");
    }
}

#[test]
fn two_manifests_of_one_job_are_rejected() {
    let (stand, auditor, evidence) = genuine();
    let mut body = evidence.body().clone();
    body.artifacts.push(body.artifacts[0].clone());
    let body = body.sealed();
    let quote = stand.quote(&body.qualifying());
    let verdict = judge(&stand, &auditor, &Evidence::new(body, vec![quote]));
    assert_eq!(verdict.failures(), ["artifacts.twice"]);
}

#[test]
fn another_format_is_no_evidence() {
    let (stand, auditor, evidence) = genuine();
    let mut body = evidence.body().clone();
    body.format = "casemate.evidence.2".to_owned();
    let bytes = Evidence::new(body, evidence.quotes().to_vec()).to_bytes();
    let error = stand.judge(&auditor, &bytes).unwrap_err();
    assert_eq!(error.code().id, "format.unknown");
}

#[test]
fn quotes_altered_well_formed_are_rejected() {
    let (stand, auditor, evidence) = genuine();
    let quote = evidence.quotes()[0].clone();
    let judge = |quotes| {
        let altered = Evidence::new(evidence.body().clone(), quotes);
        judge(&stand, &auditor, &altered).failures()
    };
    let mut value = quote.clone();
    value.pcrs[4].value = Digest::of(b"other");
    assert_eq!(judge(vec![value]), ["quote.digest"]);
    let mut register = quote.clone();
    register.pcrs[11].pcr = 16;
    assert_eq!(judge(vec![register]), ["quote.registers"]);
    let mut attest = quote.clone();
    attest.attest = stand.quote_attest(&Digest::of(b"other"), 0x000b, &quote.pcrs);
    assert_eq!(judge(vec![attest.clone()]), ["quote.signature"]);
    attest.signature = sign(&other_stand().ak, &Digest::of(&attest.attest));
    assert_eq!(judge(vec![attest]), ["quote.signature"]);
    assert_eq!(judge(vec![quote.clone(), quote]), ["quote.count"]);
    assert_eq!(judge(vec![]), ["quote.count"]);
}

#[test]
fn no_bit_of_the_file_can_be_flipped() {
    let (stand, auditor, evidence) = genuine();
    let bytes = evidence.to_bytes();
    // Every third byte: every byte of a vector is changed in tests/vectors.rs.
    for at in (0..bytes.len()).step_by(3) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if let Ok(verdict) = stand.judge(&auditor, &altered) {
            assert_eq!(
                verdict.decision(),
                Decision::Fail,
                "byte {at}: {}",
                verdict.text()
            );
            assert!(!verdict.failures().is_empty(), "byte {at}");
        }
    }
}

#[test]
fn a_shortened_or_lengthened_file_is_no_evidence() {
    let (stand, auditor, evidence) = genuine();
    let bytes = evidence.to_bytes();
    for end in (0..bytes.len()).step_by(7) {
        assert!(stand.judge(&auditor, &bytes[..end]).is_err());
    }
    assert!(stand.judge(&auditor, &[&bytes[..], &[0]].concat()).is_err());
}

/// What is no fact is not shown as one: a head, or artifacts, that the enrolled key and the TPM do
/// not stand for.
#[test]
fn a_head_that_does_not_hold_is_no_fact() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let judge = |change: &dyn Fn(&mut Body)| {
        let mut body = stand.body(&auditor.challenge);
        change(&mut body);
        let body = body.sealed();
        let quote = stand.quote(&body.qualifying());
        let evidence = Evidence::new(body, vec![quote]).to_bytes();
        stand.judge(&auditor, &evidence).unwrap()
    };
    let genuine = judge(&|_| ());
    assert_eq!(genuine.failures(), [""; 0]);
    assert!(genuine.facts().audit.is_some() && !genuine.facts().jobs.is_empty());
    let cosigned = judge(&|body| body.audit.cosignature = sign(&stand.ek, &Digest::of(b"other")));
    assert_eq!(cosigned.failures(), ["audit.cosignature"]);
    assert!(cosigned.facts().audit.is_none());
    assert!(!cosigned.facts().jobs.is_empty());
    let other = ed25519_dalek::SigningKey::from_bytes(&[0x77; 32]);
    let note = casemate_attest::checkpoint::Checkpoint {
        origin: casemate_attest::checkpoint::Origin::new(stand::ORIGIN).unwrap(),
        size: 9,
        root: Digest::of(b"a log that nobody enrolled"),
    };
    let forged = judge(&|body| {
        body.audit.key = other.verifying_key().to_bytes();
        body.audit.note = note.sign(&other).into_bytes();
    });
    assert!(
        forged.failures().contains(&"audit.head-key"),
        "{:?}",
        forged.failures()
    );
    assert!(forged.facts().audit.is_none() && forged.facts().jobs.is_empty());
    assert!(
        !forged.text().contains(&note.root.to_string()),
        "{}",
        forged.text()
    );
}
