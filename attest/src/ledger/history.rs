//! What earlier records say about a new evidence of the same key.
//!
//! A TPM's counters and clock only go on (TPM 2.0 Part 1, section 36): resets, then restarts within
//! a reset, then milliseconds. So the evidences of one key stand in one order, and the audit log
//! grows along it. What contradicts that was rolled back or copied. Which of two evidences is the
//! later one is certain only when it answers a challenge made after the other was judged.

use std::cmp::Ordering;

use super::{Entry, Ledger, Line, Recorded, SeenClock, SeenHead};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::leaf::TpmClock;
use crate::merkle;
use crate::messages::history;
use crate::time::readable;
use crate::verdict::{Check, Outcome, Subject};

/// How far a clock may go back over a loss of power: the longest interval in which a TPM writes it
/// down, 2^22 ms (Part 2, `TPM2_PT_CLOCK_UPDATE`; Part 1, section 36.3).
const UNSAFE_MS: u64 = 1 << 22;

const SUBJECT: Subject = Subject::History;

impl Ledger {
    /// Holds an evidence that was just judged against the earlier ones. `leaves` are the leaf
    /// hashes of an audit export that holds, when one was given: then earlier audit heads are
    /// looked for in it.
    #[must_use]
    pub fn checks(&self, new: &Entry, leaves: Option<&[Digest]>) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        let earlier = self.by_key.get(&new.key).map_or(&[][..], Vec::as_slice);
        let earlier: Vec<(u64, &Entry)> = earlier
            .iter()
            .filter_map(|at| self.entry(*at))
            .filter(|(_, entry)| entry.evidence != new.evidence)
            .collect();
        for (number, old) in &earlier {
            for check in compared(*number, old, new) {
                // One of a kind is enough; a certain one counts more than a possible one.
                match checks.iter_mut().find(|known| known.code == check.code) {
                    None => checks.push(check),
                    Some(known) if known.outcome != Outcome::Fail => *known = check,
                    Some(_) => {}
                }
            }
        }
        checks.extend(leaves.and_then(|leaves| lost_head(&earlier, new, leaves)));
        if checks.is_empty() {
            checks.push(match (new.clock, earlier.len()) {
                (None, _) => Check::unjudged(SUBJECT, history::not_comparable()),
                (Some(_), 0) => Check::pass(SUBJECT, history::first()),
                (Some(_), count) => Check::pass(SUBJECT, history::follows(count)),
            });
        }
        checks.extend(self.seen(new));
        checks.extend(self.failed_before(new));
        if self.is_torn() {
            let record = self.next_number();
            checks.push(Check::note(SUBJECT, &code::LEDGER_TORN).saying(history::torn(record)));
        }
        checks
    }

    fn seen(&self, new: &Entry) -> Option<Check> {
        let (number, old) = self.entry(*self.by_evidence.get(&new.evidence?)?)?;
        let said = history::seen(number, &readable(old.at_ms));
        Some(Check::note(SUBJECT, &code::EVIDENCE_SEEN).saying(said))
    }

    fn failed_before(&self, new: &Entry) -> Option<Check> {
        let (number, old) = self.entry(*self.by_enrolment.get(&new.enrolment?)?)?;
        if !new.verdict.is_positive() || old.verdict.is_positive() {
            return None;
        }
        let (at, codes) = (readable(old.at_ms), old.codes.join(", "));
        let said = history::failed(number, &at, Recorded::id(old.verdict), &codes);
        Some(Check::note(SUBJECT, &code::HISTORY_FAILED).saying(said))
    }

    fn entry(&self, at: usize) -> Option<(u64, &Entry)> {
        match self.lines.get(at)? {
            (number, Line::Judged(entry)) => Some((*number, entry)),
            (_, Line::Torn { .. }) => None,
        }
    }
}

/// What one earlier record says.
fn compared(number: u64, old: &Entry, new: &Entry) -> Vec<Check> {
    let (Some(was), Some(is)) = (old.clock, new.clock) else {
        return Vec::new();
    };
    let surely_later = new.asked_ms.is_some_and(|asked| asked >= old.at_ms);
    let sides = |check: Check| {
        let record = format!("after record {number}: {}", shown(was.clock));
        check.sides(record, shown(is.clock))
    };
    let order = order(was, is);
    let mut checks = Vec::new();
    match (order, surely_later) {
        (Some(Ordering::Less | Ordering::Equal), _) => {}
        // It was made later, and its clock is not: it went back.
        (_, true) => checks.push(sides(Check::fail(SUBJECT, gone_back(was.clock, is.clock)))),
        // No order at all: not the clocks of one TPM.
        (None, false) => checks.push(sides(Check::fail(SUBJECT, &code::CLOCK_CLONE))),
        (Some(Ordering::Greater), false) => {
            let check = Check::weak(SUBJECT, gone_back(was.clock, is.clock));
            checks.push(sides(check.saying(history::maybe_older(number))));
        }
    }
    if let (Some(had), Some(has)) = (&old.audit, &new.audit) {
        let later = surely_later || order != Some(Ordering::Greater);
        let (first, second) = if later { (had, has) } else { (has, had) };
        let code = match first.size.cmp(&second.size) {
            _ if first.origin != second.origin || order.is_none() => None,
            Ordering::Greater => Some(&code::CLOCK_SNAPSHOT),
            Ordering::Equal if first.root != second.root => Some(&code::CLOCK_CLONE),
            Ordering::Equal | Ordering::Less => None,
        };
        let head = |head: &SeenHead| format!("{} entries, root {}", head.size, head.root);
        checks.extend(code.map(|code| {
            let record = format!("record {number}: {}", head(had));
            Check::fail(SUBJECT, code).sides(record, head(has))
        }));
    }
    checks
}

/// How the clock of one evidence stands to that of another; none when neither can come first.
fn order(was: SeenClock, is: SeenClock) -> Option<Ordering> {
    let count = |seen: SeenClock| (seen.clock.resets, seen.clock.restarts);
    let counters = count(was).cmp(&count(is));
    let ms = was.clock.ms.cmp(&is.clock.ms);
    // After a loss of power the clock may stand a little behind what it was before.
    let back = was.clock.ms.abs_diff(is.clock.ms) <= UNSAFE_MS;
    match (counters, ms) {
        (Ordering::Equal, ms) => Some(ms),
        (Ordering::Less, Ordering::Greater) if !back || is.safe => None,
        (Ordering::Greater, Ordering::Less) if !back || was.safe => None,
        (counters, _) => Some(counters),
    }
}

fn gone_back(was: TpmClock, is: TpmClock) -> &'static Code {
    if is.resets < was.resets {
        &code::CLOCK_RESET_BACK
    } else if is.resets == was.resets && is.restarts < was.restarts {
        &code::CLOCK_RESTART_BACK
    } else {
        &code::CLOCK_BACK
    }
}

/// An earlier head that the export, which goes further, does not contain.
fn lost_head(earlier: &[(u64, &Entry)], new: &Entry, leaves: &[Digest]) -> Option<Check> {
    let origin = &new.audit.as_ref()?.origin;
    let heads = earlier.iter().filter_map(|(number, entry)| {
        let head = entry.audit.as_ref()?;
        (head.origin == *origin).then_some((number, head))
    });
    for (number, head) in heads {
        let Some(covered) = usize::try_from(head.size)
            .ok()
            .and_then(|n| leaves.get(..n))
        else {
            continue;
        };
        let found = merkle::root(covered);
        if found != head.root {
            let record = format!(
                "record {number}: root {} of {} entries",
                head.root, head.size
            );
            let check = Check::fail(SUBJECT, &code::CLOCK_CLONE);
            return Some(check.sides(record, format!("in the export: {found}")));
        }
    }
    None
}

fn shown(clock: TpmClock) -> String {
    let TpmClock {
        ms,
        resets,
        restarts,
    } = clock;
    format!("{resets} resets, {restarts} restarts, {ms} ms")
}
