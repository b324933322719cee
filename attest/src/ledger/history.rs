//! What earlier records say about a new evidence of the same key.
//!
//! A TPM's counters and clock only go on (TPM 2.0 Part 1, section 36): resets, then restarts within
//! a reset, then milliseconds. So the evidences of one key stand in one order, and the audit log
//! grows along it. What contradicts that was rolled back or copied. Which of two evidences is the
//! later one is certain only when it answers a challenge made after the other was judged.

use std::cmp::Ordering;

use super::{Entry, Ledger, Line, Recorded, Seen, SeenClock};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::leaf::TpmClock;
use crate::merkle::Frontier;
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
        let earlier = self.by_key.get(&new.key).map_or(&[][..], Vec::as_slice);
        let mut checks = self.contradictions(earlier, new);
        checks.extend(leaves.and_then(|leaves| self.lost_head(earlier, new, leaves)));
        let others = earlier.iter().filter(|seen| !seen.is(new)).count();
        if checks.is_empty() {
            checks.push(match (new.clock, others) {
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

    /// What earlier records of the key contradict: one check of a kind, a certain one rather than a
    /// possible one. As many records as fit a ledger are passed, so a check is worded only when it
    /// is shown.
    fn contradictions(&self, earlier: &[Seen], new: &Entry) -> Vec<Check> {
        let mut found: Vec<(Contradiction, Seen)> = Vec::new();
        let Some(is) = new.clock else {
            return Vec::new();
        };
        for seen in earlier.iter().filter(|seen| !seen.is(new)) {
            let order = order(seen.clock, is);
            let surely_later = new.asked_ms.is_some_and(|asked| asked >= seen.at_ms);
            let by_clock = by_clock(order, surely_later, seen.clock, is);
            let by_head = || self.by_head(order, surely_later, seen, new);
            for one in by_clock.into_iter().chain(by_head()) {
                match found.iter_mut().find(|(known, _)| known.code == one.code) {
                    None => found.push((one, *seen)),
                    Some(known) if known.0.outcome != Outcome::Fail => *known = (one, *seen),
                    Some(_) => {}
                }
            }
        }
        let worded = found.into_iter();
        let worded = worded.filter_map(|(one, seen)| Some((one, self.entry(seen.at)?)));
        worded
            .map(|(one, (number, old))| one.check(number, old, new))
            .collect()
    }

    /// What two heads of one audit log say: the later one is longer, or the same.
    fn by_head(
        &self,
        order: Option<Ordering>,
        surely_later: bool,
        seen: &Seen,
        new: &Entry,
    ) -> Option<Contradiction> {
        let (had, has) = (seen.entries?, new.audit.as_ref()?);
        order?;
        let later = surely_later || order != Some(Ordering::Greater);
        let sizes = if later {
            had.cmp(&has.size)
        } else {
            has.size.cmp(&had)
        };
        if sizes == Ordering::Less {
            return None;
        }
        // Only now the record itself is looked at.
        let (_, old) = self.entry(seen.at)?;
        let was = old.audit.as_ref()?;
        let code = match sizes {
            _ if was.origin != has.origin => return None,
            Ordering::Greater => &code::CLOCK_SNAPSHOT,
            _ if was.root != has.root => &code::CLOCK_CLONE,
            _ => return None,
        };
        Some(Contradiction {
            code,
            outcome: Outcome::Fail,
            of: Of::Heads,
        })
    }

    /// An earlier head that the export, which goes further, does not contain. One pass over the
    /// export, however many heads there are.
    fn lost_head(&self, earlier: &[Seen], new: &Entry, leaves: &[Digest]) -> Option<Check> {
        let origin = &new.audit.as_ref()?.origin;
        let others = earlier.iter().filter(|seen| !seen.is(new));
        let heads = others.filter_map(|seen| {
            let (number, old) = self.entry(seen.at)?;
            let head = old.audit.as_ref().filter(|head| head.origin == *origin)?;
            Some((usize::try_from(head.size).ok()?, number, head))
        });
        let mut heads: Vec<_> = heads.filter(|(size, ..)| *size <= leaves.len()).collect();
        heads.sort_by_key(|(size, number, _)| (*size, *number));
        let (mut frontier, mut covered, mut root) = (Frontier::default(), 0, None);
        for (size, number, head) in heads {
            for leaf in leaves.get(covered..size).unwrap_or_default() {
                frontier.append(*leaf);
                root = None;
            }
            covered = size;
            let found = *root.get_or_insert_with(|| frontier.root());
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

/// What an earlier record and a new evidence cannot both say.
#[derive(Debug, Clone, Copy)]
struct Contradiction {
    code: &'static Code,
    outcome: Outcome,
    of: Of,
}

/// What contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Clocks,
    Heads,
}

impl Contradiction {
    fn check(self, number: u64, old: &Entry, new: &Entry) -> Check {
        let check = match self.outcome {
            Outcome::Weak => Check::weak(SUBJECT, self.code).saying(history::maybe_older(number)),
            _ => Check::fail(SUBJECT, self.code),
        };
        let clock = |entry: &Entry| {
            entry
                .clock
                .map(|seen| shown(seen.clock))
                .unwrap_or_default()
        };
        let head = |entry: &Entry| {
            let head = entry.audit.as_ref();
            let head = head.map(|head| format!("{} entries, root {}", head.size, head.root));
            head.unwrap_or_default()
        };
        match self.of {
            Of::Clocks => check.sides(format!("after record {number}: {}", clock(old)), clock(new)),
            Of::Heads => check.sides(format!("record {number}: {}", head(old)), head(new)),
        }
    }
}

/// What two clocks say.
fn by_clock(
    order: Option<Ordering>,
    surely_later: bool,
    was: SeenClock,
    is: SeenClock,
) -> Option<Contradiction> {
    let (code, outcome) = match (order, surely_later) {
        (Some(Ordering::Less | Ordering::Equal), _) => return None,
        // It was made later, and its clock is not: it went back.
        (_, true) => (gone_back(was.clock, is.clock), Outcome::Fail),
        // No order at all: not the clocks of one TPM.
        (None, false) => (&code::CLOCK_CLONE, Outcome::Fail),
        (Some(Ordering::Greater), false) => (gone_back(was.clock, is.clock), Outcome::Weak),
    };
    Some(Contradiction {
        code,
        outcome,
        of: Of::Clocks,
    })
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

fn shown(clock: TpmClock) -> String {
    let TpmClock {
        ms,
        resets,
        restarts,
    } = clock;
    format!("{resets} resets, {restarts} restarts, {ms} ms")
}
