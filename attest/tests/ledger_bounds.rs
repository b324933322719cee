//! What a hostile log, export or evidence may cost an auditor: time that grows with the input and
//! not with its square, memory and lines that end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use casemate_attest::digest::Digest;
use casemate_attest::leaf::TpmClock;
use casemate_attest::ledger::{Entry, Ledger, SeenClock, SeenHead};
use casemate_attest::merkle::{self, Frontier};
use casemate_attest::verdict::Outcome;

/// A record with a clock and a head of the audit log.
fn entry(ms: u64, head: (u64, Digest)) -> Entry {
    let file = ms.to_be_bytes();
    Entry {
        evidence: Some(Digest::of(&file)),
        key: vec![7; 34],
        clock: Some(SeenClock {
            clock: TpmClock {
                ms,
                resets: 3,
                restarts: 1,
            },
            safe: true,
        }),
        audit: Some(SeenHead {
            origin: "casemate.test/audit".to_owned(),
            size: head.0,
            root: head.1,
        }),
        ..Entry::unjudged(&file, 1_000_000 + ms, None, "none")
    }
}

/// A ledger with as many heads as its log has entries, and the log's leaves.
fn grown(count: u64) -> (Ledger, Vec<Digest>) {
    let mut ledger = Ledger::default();
    let mut frontier = Frontier::default();
    let mut leaves = Vec::new();
    for size in 1..=count {
        let leaf = Digest::of(&size.to_be_bytes());
        frontier.append(leaf);
        leaves.push(leaf);
        drop(ledger.append(entry(size, (size, frontier.root()))));
    }
    (ledger, leaves)
}

fn codes(ledger: &Ledger, new: &Entry, leaves: Option<&[Digest]>) -> Vec<(&'static str, Outcome)> {
    let checks = ledger.checks(new, leaves);
    let said = |code: &'static casemate_attest::code::Code| code.id;
    let codes = checks
        .iter()
        .map(|check| (check.code.map_or("", said), check.outcome));
    codes.collect()
}

/// With one pass over the export for each head this takes hours.
#[test]
fn an_export_is_held_against_every_head_in_one_pass() {
    let count = 40_000;
    let (ledger, mut leaves) = grown(count);
    let new = entry(count + 1, (count, merkle::root(&leaves)));
    assert_eq!(codes(&ledger, &new, Some(&leaves)), [("", Outcome::Pass)]);
    // The last entry alone is another one: every head but the last is in the export.
    *leaves.last_mut().unwrap() = Digest::of(b"another");
    let forked = codes(&ledger, &new, Some(&leaves));
    assert_eq!(forked, [("clock.clone", Outcome::Fail)]);
    // A head that the export does not reach says nothing.
    leaves.pop();
    assert_eq!(codes(&ledger, &new, Some(&leaves)), [("", Outcome::Pass)]);
}

#[test]
fn an_evidence_that_contradicts_every_record_is_called_out_once() {
    let (ledger, _) = grown(20_000);
    for nth in 0..3 {
        let mut old = entry(20_001 + nth, (1, Digest::ZERO));
        old.clock.as_mut().unwrap().clock.ms = 0;
        let found = codes(&ledger, &old, None);
        assert_eq!(
            found,
            [
                ("clock.back", Outcome::Weak),
                ("clock.clone", Outcome::Fail)
            ]
        );
    }
    for nth in 0..3 {
        let new = entry(30_000 + nth, (30_000, Digest::ZERO));
        assert_eq!(codes(&ledger, &new, None), [("", Outcome::Pass)]);
    }
}
