//! Whole verdicts on evidence of a software stand: what passes, what is weaker, what fails.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::enrolment::Root;
use casemate_attest::verdict::Decision;
use stand::{NOW, Stand};

#[test]
fn genuine_evidence_passes() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    let verdict = stand.judge(&auditor, &evidence).unwrap();
    assert_eq!(verdict.decision(), Decision::Pass, "{}", verdict.text());
    assert_eq!(verdict.line(), "PASS (trust on first use)");
    assert_eq!(verdict.failures(), Vec::<&str>::new());
}

#[test]
fn a_development_root_passes_only_when_asked_for() {
    let stand = Stand {
        development: true,
        root: Root::Development,
        ..Stand::default()
    };
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    let verdict = stand.judge(&auditor, &evidence).unwrap();
    assert_eq!(verdict.line(), "FAIL: release.development");
    let accepted = stand
        .judge_with(&auditor, &evidence, |mut inputs| {
            inputs.accept_development = true;
            inputs
        })
        .unwrap();
    assert_eq!(accepted.line(), "PASS (development root)");
    let enrolled = Stand {
        root: Root::Development,
        ..Stand::default()
    };
    let auditor = enrolled.auditor();
    let evidence = enrolled.evidence(&auditor.challenge).to_bytes();
    let verdict = enrolled.judge(&auditor, &evidence).unwrap();
    assert_eq!(verdict.line(), "FAIL: enrolment.development");
}

#[test]
fn what_cannot_be_checked_makes_it_conditional() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    let without_secret = stand
        .judge_with(&auditor, &evidence, |mut inputs| {
            inputs.secret = None;
            inputs
        })
        .unwrap();
    assert_eq!(
        without_secret.line(),
        "CONDITIONAL (trust on first use): activation.unproven"
    );
    let unasked = stand
        .judge_with(&auditor, &stand.evidence(&[]).to_bytes(), |mut inputs| {
            (inputs.challenge, inputs.secret) = (None, None);
            inputs
        })
        .unwrap();
    assert_eq!(
        unasked.line(),
        "CONDITIONAL (trust on first use): challenge.absent"
    );
}

#[test]
fn time_runs_out() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    for (now, code) in [
        (NOW + 1001, "challenge.expired"),
        (NOW - 1001, "challenge.future"),
        (NOW + 1_000_001, "challenge.expired"),
    ] {
        let verdict = stand.judge_with(&auditor, &evidence, |mut inputs| {
            inputs.now_ms = now;
            inputs
        });
        assert_eq!(verdict.unwrap().line(), format!("FAIL: {code}"));
    }
    let verdict = stand
        .judge_with(&auditor, &evidence, |mut inputs| {
            inputs.now_ms = NOW + 1_000_001;
            inputs
        })
        .unwrap();
    assert!(verdict.failures().contains(&"release.expired"));
}

#[test]
fn the_export_must_be_the_one_vouched_for() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    let judge = |export: &[u8]| {
        let verdict = stand.judge_with(&auditor, &evidence, |inputs| {
            casemate_attest::verify::Inputs {
                export: Some(unbound(export)),
                ..inputs
            }
        });
        verdict.unwrap().line()
    };
    assert_eq!(judge(&stand.export()), "PASS (trust on first use)");
    let longer = {
        let mut leaves = stand.leaves.clone();
        let mut leaf = casemate_attest::leaf::Leaf::from_bytes(&leaves[0]).unwrap();
        leaf.seq = 3;
        leaves.push(leaf.to_bytes());
        Stand {
            leaves,
            ..Stand::default()
        }
    };
    assert_eq!(judge(&longer.export()), "PASS (trust on first use)");
    let shorter = Stand {
        leaves: stand.leaves[..2].to_vec(),
        ..Stand::default()
    };
    assert_eq!(judge(&shorter.export()), "FAIL: audit.short");
    let fork = {
        let mut leaves = stand.leaves.clone();
        let mut leaf = casemate_attest::leaf::Leaf::from_bytes(&leaves[1]).unwrap();
        leaf.wall_ms += 1;
        leaves[1] = leaf.to_bytes();
        Stand {
            leaves,
            ..Stand::default()
        }
    };
    assert_eq!(judge(&fork.export()), "FAIL: audit.fork");
    let mut edited = stand.export();
    let middle = edited.len() / 2;
    edited[middle] ^= 1;
    assert_eq!(judge(&edited), "FAIL: audit.entry");
}

/// Test files live as long as the process.
fn unbound(bytes: &[u8]) -> &'static [u8] {
    Box::leak(bytes.to_vec().into_boxed_slice())
}
