//! The auditor's ledger: what it makes of clocks that go back, of clones and of restored
//! snapshots, and that no line of it can be changed, lost or half written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::credential;
use casemate_attest::digest::Digest;
use casemate_attest::evidence::Evidence;
use casemate_attest::export::VerifiedExport;
use casemate_attest::leaf::{Leaf, TpmClock};
use casemate_attest::ledger::{Entry, HEADER, Ledger, LedgerError, Line};
use casemate_attest::tpm::public::Public;
use casemate_attest::verdict::{Decision, Outcome, Subject, Verdict};
use stand::{Auditor, CLOCK, NOW, Stand};

/// An auditor with a ledger, and a clock that goes on with every judgement.
struct Office {
    ledger: Ledger,
    file: Vec<u8>,
    now: u64,
}

impl Office {
    fn new() -> Self {
        Self {
            ledger: Ledger::read(b"").unwrap(),
            file: Vec::new(),
            now: NOW,
        }
    }

    /// A challenge made now, in the challenge's time.
    fn auditor(&self, stand: &Stand) -> Auditor {
        let mut auditor = stand.auditor();
        let name = Public::from_sized(&stand.ak_public()).unwrap();
        let made = credential::make(&stand.ek_public(), name.name(), &[0x5a; 32], &[0x11; 32]);
        let made = made.unwrap();
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.now.to_be_bytes());
        let mut challenge = Challenge::new(nonce, "test", self.now, self.now + 100_000);
        challenge.enrolment = stand.enrolment_id();
        challenge.credential = made.id_object;
        challenge.encrypted_secret = made.encrypted_secret;
        auditor.challenge = challenge.to_bytes();
        auditor.secret = ChallengeSecret::new(&auditor.challenge, [0x5a; 32]).to_bytes();
        auditor
    }

    /// Asks the appliance now, judges its answer a second later.
    fn ask(&mut self, stand: &Stand) -> Verdict {
        let auditor = self.auditor(stand);
        let evidence = stand.evidence(&auditor.challenge);
        self.judge(stand, Some(&auditor), &evidence, None)
    }

    /// Judges what was found lying about.
    fn find(&mut self, stand: &Stand) -> Verdict {
        let evidence = stand.evidence(&[]);
        self.judge(stand, None, &evidence, None)
    }

    fn judge(
        &mut self,
        stand: &Stand,
        auditor: Option<&Auditor>,
        evidence: &Evidence,
        export: Option<&[u8]>,
    ) -> Verdict {
        self.now += 1000;
        let (now, bytes) = (self.now, evidence.to_bytes());
        let own = stand.auditor();
        let verdict = stand.judge_with(auditor.unwrap_or(&own), &bytes, |mut inputs| {
            inputs.now_ms = now;
            if auditor.is_none() {
                (inputs.challenge, inputs.secret) = (None, None);
            }
            inputs
        });
        let leaves = export.map(|export| VerifiedExport::read(export, None).unwrap().hashes);
        let verdict = verdict.unwrap();
        let entry = Entry::of(&verdict, &bytes, now);
        let verdict = verdict.with(self.ledger.checks(&entry, leaves.as_deref()));
        let record = self.ledger.append(entry.concluded(&verdict));
        self.file.extend(record);
        // Every state of the file is read back as the ledger that wrote it.
        let read = Ledger::read(&self.file).unwrap();
        assert_eq!(read.lines(), self.ledger.lines());
        assert_eq!(read.head(), self.ledger.head());
        verdict
    }
}

fn at(ms: u64, resets: u32, restarts: u32) -> Stand {
    Stand {
        clock: TpmClock {
            ms,
            resets,
            restarts,
        },
        ..Stand::default()
    }
}

/// An audit log of so many entries; `branch` tells two logs apart that grew from one.
fn leaves(count: usize, branch: u64) -> Vec<Vec<u8>> {
    let first = Leaf::from_bytes(&Stand::default().leaves[0]).unwrap();
    let leaf = |seq: usize| {
        let mut leaf = first.clone();
        leaf.seq = seq as u64;
        if seq >= 3 {
            leaf.wall_ms += branch;
        }
        leaf.to_bytes()
    };
    (0..count).map(leaf).collect()
}

fn with_log(stand: Stand, count: usize, branch: u64) -> Stand {
    Stand {
        leaves: leaves(count, branch),
        ..stand
    }
}

/// The code of what the ledger says, and how it counts.
fn said(verdict: &Verdict) -> Vec<(&'static str, Outcome)> {
    let checks = verdict.checks().iter();
    let history = checks.filter(|check| check.subject == Subject::History);
    history
        .map(|check| (check.code.map_or("", |code| code.id), check.outcome))
        .collect()
}

#[test]
fn a_tpm_that_goes_on_passes() {
    let mut office = Office::new();
    for stand in [
        at(6000, 3, 1),
        at(7000, 3, 1),
        at(7500, 3, 2),
        at(8000, 4, 0),
        with_log(at(8000 + (1 << 40), 5, 0), 9, 0),
    ] {
        let verdict = office.ask(&stand);
        assert_eq!(verdict.decision(), Decision::Pass, "{}", verdict.text());
        assert_eq!(said(&verdict), [("", Outcome::Pass)]);
    }
}

#[test]
fn reset_count_going_back_is_called_out() {
    let mut office = Office::new();
    office.ask(&at(6000, 3, 1));
    let verdict = office.ask(&at(7000, 2, 9));
    assert_eq!(verdict.line(), "FAIL: clock.reset-back");
    assert_eq!(said(&verdict), [("clock.reset-back", Outcome::Fail)]);
}

#[test]
fn restart_count_going_back_is_called_out() {
    let mut office = Office::new();
    office.ask(&at(6000, 3, 1));
    let verdict = office.ask(&at(7000, 3, 0));
    assert_eq!(verdict.line(), "FAIL: clock.restart-back");
}

#[test]
fn clock_going_back_is_called_out() {
    let mut office = Office::new();
    office.ask(&at(6000, 3, 1));
    assert_eq!(office.ask(&at(5999, 3, 1)).line(), "FAIL: clock.back");
    // More resets, and yet less time than could be lost with the power.
    let mut office = Office::new();
    office.ask(&at(50_000_000, 3, 1));
    assert_eq!(office.ask(&at(40_000_000, 4, 0)).line(), "FAIL: clock.back");
}

#[test]
fn a_loss_of_power_may_set_the_clock_back_a_little() {
    let lost = |ms, clock_safe| Stand {
        clock_safe,
        ..at(ms, 4, 0)
    };
    let mut office = Office::new();
    office.ask(&at(50_000_000, 3, 1));
    assert_eq!(
        office.ask(&lost(48_000_000, true)).line(),
        "FAIL: clock.back"
    );
    let mut office = Office::new();
    office.ask(&at(50_000_000, 3, 1));
    let verdict = office.ask(&lost(48_000_000, false));
    assert_eq!(verdict.decision(), Decision::Pass, "{}", verdict.text());
}

#[test]
fn two_evidences_with_one_lineage_are_a_clone() {
    // Copies made at the third entry; each goes on by itself, at the same pace.
    let mut office = Office::new();
    office.ask(&with_log(at(6000, 3, 1), 5, 1));
    let verdict = office.ask(&with_log(at(6500, 3, 1), 5, 2));
    assert_eq!(verdict.line(), "FAIL: clock.clone");
    // Neither clock can come before the other: the copy was reset, and is yet behind.
    let mut office = Office::new();
    office.find(&at(50_000_000, 3, 1));
    let verdict = office.find(&at(10_000_000, 4, 0));
    assert_eq!(verdict.failures(), ["clock.clone"]);
}

/// Both copies' logs only grow, so their sizes say nothing; an export does.
#[test]
fn a_clone_shows_in_an_export_of_the_other_copy() {
    let mut office = Office::new();
    office.ask(&with_log(at(6000, 3, 1), 5, 1));
    let copy = with_log(at(7000, 3, 1), 8, 2);
    let auditor = office.auditor(&copy);
    let evidence = copy.evidence(&auditor.challenge);
    let export = copy.export();
    let verdict = office.judge(&copy, Some(&auditor), &evidence, Some(&export));
    assert_eq!(verdict.failures(), ["clock.clone"]);
    // The log that really grew from there.
    let mut office = Office::new();
    office.ask(&with_log(at(6000, 3, 1), 5, 1));
    let grown = with_log(at(7000, 3, 1), 8, 1);
    let auditor = office.auditor(&grown);
    let evidence = grown.evidence(&auditor.challenge);
    let verdict = office.judge(&grown, Some(&auditor), &evidence, Some(&grown.export()));
    assert_eq!(verdict.decision(), Decision::Pass, "{}", verdict.text());
}

#[test]
fn a_restored_snapshot_is_called_out() {
    // The disk went back to four entries, the TPM's clock went on.
    let mut office = Office::new();
    office.ask(&with_log(at(6000, 3, 1), 6, 0));
    let verdict = office.ask(&with_log(at(9000, 3, 1), 4, 0));
    assert_eq!(verdict.line(), "FAIL: clock.snapshot");
    // Also when nothing says which evidence is the later one but the clock itself.
    let mut office = Office::new();
    office.find(&with_log(at(9000, 3, 1), 4, 0));
    let verdict = office.find(&with_log(at(6000, 3, 1), 6, 0));
    assert!(verdict.failures().contains(&"clock.snapshot"));
}

/// docs/formats/ledger.md claims exactly this: a rollback of the whole machine with its TPM, which
/// then went on past everything that the ledger saw, shows only against an export.
#[test]
fn a_rollback_that_caught_up_shows_only_in_an_export() {
    let mut office = Office::new();
    office.ask(&with_log(at(6000, 3, 1), 4, 1));
    let caught_up = with_log(at(9000, 3, 1), 5, 2);
    assert_eq!(office.ask(&caught_up).decision(), Decision::Pass);
    let auditor = office.auditor(&caught_up);
    let later = with_log(at(9500, 3, 1), 6, 2);
    let evidence = later.evidence(&auditor.challenge);
    let verdict = office.judge(&later, Some(&auditor), &evidence, Some(&later.export()));
    assert_eq!(verdict.failures(), ["clock.clone"]);
}

#[test]
fn an_older_evidence_that_answers_no_challenge_is_only_weaker() {
    let mut office = Office::new();
    office.ask(&at(6000, 3, 1));
    let verdict = office.find(&at(5000, 2, 0));
    assert_eq!(verdict.decision(), Decision::Conditional);
    assert_eq!(said(&verdict), [("clock.reset-back", Outcome::Weak)]);
    // A challenge that was out before the other evidence was judged proves no order either.
    let mut office = Office::new();
    let early = at(5000, 3, 1);
    let auditor = office.auditor(&early);
    let evidence = early.evidence(&auditor.challenge);
    office.ask(&at(6000, 3, 1));
    let verdict = office.judge(&early, Some(&auditor), &evidence, None);
    assert_eq!(said(&verdict), [("clock.back", Outcome::Weak)]);
    assert_eq!(verdict.decision(), Decision::Conditional);
}

#[test]
fn evidence_seen_before_is_named() {
    let stand = Stand::default();
    let mut office = Office::new();
    let auditor = office.auditor(&stand);
    let evidence = stand.evidence(&auditor.challenge);
    office.judge(&stand, Some(&auditor), &evidence, None);
    let verdict = office.judge(&stand, Some(&auditor), &evidence, None);
    assert_eq!(verdict.decision(), Decision::Pass);
    assert!(said(&verdict).contains(&("evidence.seen", Outcome::Note)));
    let words: Vec<String> = verdict
        .text()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let said_when = words.join(" ");
    assert!(
        said_when.contains("record 1, 2027-01-15 08:00:01 UTC"),
        "{said_when}"
    );
    // Its signature written differently does not make it another evidence.
    let mut quote = evidence.quotes()[0].clone();
    quote.signature.push(0);
    let respelt = Evidence::new(evidence.body().clone(), vec![quote]);
    let verdict = office.judge(&stand, Some(&auditor), &respelt, None);
    assert_eq!(verdict.decision(), Decision::Fail);
    assert!(said(&verdict).contains(&("evidence.seen", Outcome::Note)));
}

#[test]
fn a_fail_followed_by_a_pass_is_shown() {
    let stand = Stand::default();
    let mut office = Office::new();
    let auditor = office.auditor(&stand);
    let mut body = stand.body(&auditor.challenge);
    body.statements.clear();
    let forged = Evidence::new(body, vec![stand.quote(&Digest::of(b"other"))]);
    let verdict = office.judge(&stand, Some(&auditor), &forged, None);
    assert_eq!(verdict.decision(), Decision::Fail);
    let verdict = office.ask(&stand);
    assert_eq!(verdict.decision(), Decision::Pass, "{}", verdict.text());
    assert_eq!(said(&verdict)[1], ("history.failed", Outcome::Note));
    assert!(verdict.text().contains("record 1"));
    // Once is enough: the next verdict has a PASS before it.
    assert_eq!(said(&office.ask(&stand)), [("", Outcome::Pass)]);
}

/// What no quote vouches for says nothing about the TPM, or anyone could ruin a lineage.
#[test]
fn a_forged_evidence_does_not_spoil_the_lineage() {
    let mut office = Office::new();
    let future = at(1 << 50, 3_000_000, 0);
    let auditor = office.auditor(&future);
    let body = future.body(&auditor.challenge);
    let mut quote = future.quote(&body.qualifying());
    quote.signature = stand::sign(&Stand::default().ek, &Digest::of(&quote.attest));
    let verdict = office.judge(
        &future,
        Some(&auditor),
        &Evidence::new(body, vec![quote]),
        None,
    );
    assert_eq!(verdict.failures(), ["quote.signature"]);
    let verdict = office.ask(&at(6000, 3, 1));
    assert_eq!(verdict.decision(), Decision::Pass, "{}", verdict.text());
}

#[test]
fn another_key_has_another_lineage() {
    let mut office = Office::new();
    office.ask(&at(6000, 3, 1));
    let other = Stand {
        ak: p256::ecdsa::SigningKey::from_slice(&[21; 32]).unwrap(),
        ..at(10, 0, 0)
    };
    let other = Stand {
        clock: TpmClock {
            ms: 900,
            ..other.clock
        },
        ..other
    };
    assert_eq!(office.ask(&other).decision(), Decision::Pass);
}

/// A ledger with four records.
fn written() -> Vec<u8> {
    let mut office = Office::new();
    for ms in [6000, 7000, 8000] {
        office.ask(&at(ms, 3, 1));
    }
    let file = b"\x00not \"evidence\"\n";
    let entry = Entry::unjudged(file, NOW + 9000, None, "format.malformed");
    let record = office.ledger.append(entry);
    office.file.extend(record);
    office.file
}

#[test]
fn every_verdict_stands_in_it_also_a_malformed_file() {
    let ledger = Ledger::read(&written()).unwrap();
    let Line::Judged(last) = &ledger.lines()[3].1 else {
        panic!("a judgement");
    };
    assert_eq!(last.verdict.id(), "MALFORMED");
    assert_eq!(last.file, Digest::of(b"\x00not \"evidence\"\n"));
    assert_eq!(last.codes, ["format.malformed"]);
    assert!(ledger.has_head(&ledger.head()));
}

#[test]
fn no_byte_of_it_can_be_changed() {
    let bytes = written();
    for at in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let read = Ledger::read(&changed);
            // Without its line end, or with a zero byte, the last line is taken as torn, and is
            // called that.
            let unlike = at == bytes.len() - 1 || changed[at] == 0;
            let torn = unlike && read.as_ref().is_ok_and(Ledger::is_torn);
            assert!(read.is_err() || torn, "byte {at}");
        }
    }
}

#[test]
fn no_line_of_it_can_be_removed_moved_or_repeated() {
    let bytes = written();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let is_damaged = |lines: &[&[u8]]| match Ledger::read(&lines.concat()) {
        Err(error) => {
            let known = ["ledger.damaged", "ledger.malformed"];
            known.contains(&error.code().id)
        }
        Ok(_) => false,
    };
    for at in 0..lines.len() - 1 {
        let mut less = lines.clone();
        less.remove(at);
        assert!(is_damaged(&less), "line {at} removed");
        let mut moved = lines.clone();
        moved.swap(at, at + 1);
        assert!(is_damaged(&moved), "line {at} moved");
    }
    for at in 0..lines.len() {
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        assert!(is_damaged(&more), "line {at} repeated");
    }
}

/// Cut at the end it is still a chain; only a head noted down elsewhere shows it.
#[test]
fn a_cut_shows_against_a_head_that_was_noted_down() {
    let bytes = written();
    let whole = Ledger::read(&bytes).unwrap();
    let last = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n');
    let cut = Ledger::read(&bytes[..=last.unwrap()]).unwrap();
    assert!(!cut.has_head(&whole.head()));
    assert!(whole.has_head(&cut.head()));
}

/// The power goes at every byte of an append: nothing before is lost, what is torn is said, and
/// the ledger goes on.
#[test]
fn a_torn_record_is_said_and_never_dropped() {
    let bytes = written();
    let entry = |at_ms| Entry::unjudged(b"x", at_ms, None, "format.malformed");
    for end in 0..bytes.len() {
        let torn = &bytes[..end];
        let mut ledger = Ledger::read(torn).unwrap_or_else(|error| panic!("{end}: {error}"));
        let whole = torn.iter().filter(|byte| **byte == b'\n').count();
        let records = ledger.lines().len();
        let said_torn = ledger.is_torn();
        assert!(records + 1 >= whole, "{end}");
        let appended = ledger.append(entry(NOW + 10_000));
        let grown = [torn, &appended].concat();
        let read = Ledger::read(&grown).unwrap_or_else(|error| panic!("{end}: {error}"));
        assert_eq!(read.lines(), ledger.lines(), "{end}");
        let names_it = read
            .lines()
            .iter()
            .any(|(_, line)| matches!(line, Line::Torn { .. }));
        assert_eq!(names_it, said_torn, "{end}");
        assert!(!read.is_torn());
        // And the power goes again while that is written.
        for again in (0..appended.len()).filter(|_| end % 31 == 0) {
            let twice = [torn, &appended[..again]].concat();
            if again % 3 == 0 {
                let mut ledger =
                    Ledger::read(&twice).unwrap_or_else(|e| panic!("{end} {again}: {e}"));
                let third = ledger.append(entry(NOW + 11_000));
                Ledger::read(&[&twice[..], &third].concat()).unwrap();
            }
        }
    }
}

/// A file system that had room for the record and did not fill it.
#[test]
fn a_record_with_holes_is_torn() {
    let mut bytes = written();
    let len = bytes.len();
    for byte in &mut bytes[len - 300..] {
        *byte = 0;
    }
    let mut ledger = Ledger::read(&bytes).unwrap();
    assert!(ledger.is_torn());
    assert_eq!(ledger.lines().len(), 3);
    let more = ledger.append(Entry::unjudged(b"x", NOW, None, "format.malformed"));
    let read = Ledger::read(&[bytes, more].concat()).unwrap();
    assert_eq!(read.lines().len(), 5);
}

#[test]
fn another_file_is_no_ledger() {
    for bytes in [
        &b"x"[..],
        b"{\"format\":\"casemate.ledger.2\"}\n",
        b"\n",
        &HEADER.as_bytes()[1..],
    ] {
        assert_eq!(Ledger::read(bytes).unwrap_err(), LedgerError::Malformed);
    }
    assert_eq!(CLOCK.resets, 3);
}

/// What a reader takes, it goes on from: whatever was done to the file, reading never panics, and a
/// record appended to what was accepted is read back with all that was accepted before.
#[test]
fn what_is_read_can_be_gone_on_from() {
    use proptest::prelude::{ProptestConfig, any, prop};
    use proptest::test_runner::TestRunner;

    let genuine = written();
    let edit = (
        any::<prop::sample::Index>(),
        0..300_usize,
        prop::collection::vec(any::<u8>(), 0..40),
    );
    let edits = prop::collection::vec(edit, 0..3);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(2000));
    let result = runner.run(&edits, |edits| {
        let mut bytes = genuine.clone();
        for (at, removed, inserted) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, inserted);
        }
        if let Ok(mut ledger) = Ledger::read(&bytes) {
            let before = ledger.lines().to_vec();
            let more = ledger.append(Entry::unjudged(b"x", NOW, None, "format.malformed"));
            let read = Ledger::read(&[bytes, more].concat()).unwrap();
            assert_eq!(read.lines(), ledger.lines());
            assert_eq!(&read.lines()[..before.len()], before);
            assert!(!read.is_torn());
        }
        Ok(())
    });
    result.unwrap();
}

/// Seeds for the fuzz target: records of every kind, and a torn line.
#[test]
#[ignore = "writes the fuzz target's seeds"]
fn write_fuzz_seeds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/ledger");
    std::fs::create_dir_all(&folder).unwrap();
    let whole = written();
    let torn = &whole[..whole.len() - 40];
    let mut ledger = Ledger::read(torn).unwrap();
    let more = ledger.append(Entry::unjudged(b"x", NOW, None, "format.malformed"));
    std::fs::write(folder.join("went-on"), [torn, &more].concat()).unwrap();
    std::fs::write(folder.join("torn"), torn).unwrap();
    std::fs::write(folder.join("whole"), whole).unwrap();
}
