//! Judging what was measured: the events behind the quoted registers, by what they say.
//!
//! Two questions are asked of every boot. Is each register as the release or the enrolment has it
//! ([`deviation`])? And is the boot one that nobody's list of digests could make right
//! ([`secure_boot`], [`separators`], [`loader`], [`departure`])? The second does not depend on the
//! first: a release or an enrolment that blesses a machine with Secure Boot off is refused too.
//!
//! What a rule may rest on: digests, their order within one register, and payloads that a digest
//! covers (the log's reader has hashed those again). An event's type decides how its payload is
//! read, and is under no digest; so a rule may only fail by it, never pass. No rule uses the order
//! of events of different registers.

mod departure;
mod deviation;
mod loader;
mod platform;
mod secure_boot;
mod separators;
mod shipped;
mod violation;

pub use deviation::Deviation;
pub use platform::{Baseline, BaselineError};
pub use secure_boot::{Database, SecureBoot};
pub use violation::Violation;

use std::collections::BTreeMap;

use crate::code::Code;
use crate::digest::Digest;
use crate::enrolment::EnrolmentRequest;
use crate::eventlog::payload::Payload;
use crate::eventlog::{ReplayedLog, type_name};
use crate::evidence::POLICY_PCRS;
use crate::messages::subjects::Subject;
use crate::quote::VerifiedQuote;
use crate::release::{BootRules, Release};

/// The most findings of one code in one register that are listed.
pub const MAX_FINDINGS: usize = 16;

/// An event whose digest the quote vouches for, with what its log says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured<'b> {
    /// The log that it is in: `firmware`, `runtime`, or `enrolled`.
    pub log: &'static str,
    /// Its number in that log, from 1.
    pub number: usize,
    /// The register.
    pub pcr: u8,
    /// The event type. Not authenticated.
    pub event_type: u32,
    /// The SHA-256 digest that was extended.
    pub digest: Digest,
    /// The payload; empty for a record of systemd.
    pub data: &'b [u8],
    /// The words of a systemd record.
    pub words: Option<&'b str>,
}

/// What a boot is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Standard<'i> {
    /// The release that the machine claims to run.
    pub release: &'i Release,
    /// What the owner saw at enrolment.
    pub enrolled: &'i EnrolmentRequest,
    /// The firmware's log of that time, when the auditor has kept it.
    pub baseline: Option<&'i Baseline<'i>>,
    /// Other releases, to name the one that a register matches.
    pub shipped: &'i [Release],
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its stable code.
    pub code: &'static Code,
    /// What of the verdict it belongs to: Secure Boot or the registers.
    pub subject: Subject,
    /// The register.
    pub pcr: u8,
    /// What is wrong, technical.
    pub detail: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appraisal {
    /// Everything that is not as it must be. None: the boot is as it must be.
    pub findings: Vec<Finding>,
    /// What Secure Boot enforced, when PCR 7 could be read.
    pub secure_boot: Option<SecureBoot>,
}

impl<'b> Measured<'b> {
    /// The events of a replayed log, in its order.
    #[must_use]
    pub fn all(replayed: &'b ReplayedLog<'b>) -> Vec<Self> {
        let events = POLICY_PCRS.iter().flat_map(|pcr| replayed.of(*pcr));
        events
            .map(|event| Self {
                log: event.log,
                number: event.number,
                pcr: event.pcr,
                event_type: event.event_type,
                digest: event.digest,
                data: event.event().map_or(&[][..], |event| event.data),
                words: event.record().and_then(|record| record.string.as_deref()),
            })
            .collect()
    }

    /// The payload, read by the event's type.
    #[must_use]
    pub fn payload(&self) -> Payload<'b> {
        Payload::read(self.event_type, self.data)
    }

    /// Its place, for messages: "firmware event 12 (`EV_IPL`)".
    #[must_use]
    pub fn place(&self) -> String {
        let kind = match self.words {
            Some(_) => "of systemd",
            None => type_name(self.event_type),
        };
        format!("{} event {} ({kind})", self.log, self.number)
    }
}

/// Judges a boot. `events` are those of the registers that `quote` is over.
#[must_use]
pub fn appraise(
    standard: &Standard<'_>,
    quote: &VerifiedQuote,
    events: &[Measured<'_>],
) -> Appraisal {
    let mut findings = Vec::new();
    for (pcr, value) in quote.values() {
        let of: Vec<Measured<'_>> = events.iter().filter(|e| e.pcr == *pcr).copied().collect();
        let compared = deviation::compare(standard, *pcr, *value, &of);
        findings.extend(compared.map(|deviation| {
            let mut finding = Finding::from(&deviation);
            platform::explain(standard, &of, &mut finding);
            shipped::explain(standard, &of, &mut finding);
            finding
        }));
        findings.extend(platform::retyped(standard, *pcr, &of).map(|found| Finding::from(&found)));
        let rules = separators::check(*pcr, &of);
        findings.extend(rules.iter().map(Finding::from));
    }
    let of = |pcr: u8| -> Vec<Measured<'_>> {
        events.iter().filter(|e| e.pcr == pcr).copied().collect()
    };
    let (secure_boot, mut rules) = secure_boot::check(&of(7));
    rules.extend(loader::check(standard.release.boot, &of(4)));
    rules.extend(departure::check(standard.release.boot, &of(5)));
    findings.extend(rules.iter().map(Finding::from));
    Appraisal {
        findings: bounded(findings),
        secure_boot,
    }
}

/// What no boot may do, of events that no quote needs to vouch for.
pub(crate) fn violations(boot: BootRules, events: &[Measured<'_>]) -> Vec<Violation> {
    let of = |pcr: u8| -> Vec<Measured<'_>> {
        events.iter().filter(|e| e.pcr == pcr).copied().collect()
    };
    let registers = POLICY_PCRS.iter();
    let mut found: Vec<Violation> = registers
        .flat_map(|pcr| separators::check(*pcr, &of(*pcr)))
        .collect();
    found.extend(secure_boot::check(&of(7)).1);
    found.extend(loader::check(boot, &of(4)));
    found.extend(departure::check(boot, &of(5)));
    found
}

/// At most [`MAX_FINDINGS`] of one code in a register: a log has as many events as an attacker
/// writes. The last that is listed says how many are not.
fn bounded(findings: Vec<Finding>) -> Vec<Finding> {
    let mut listed: Vec<Finding> = Vec::new();
    let mut counts: BTreeMap<(u8, &str), (usize, usize)> = BTreeMap::new();
    for finding in findings {
        let (count, last) = counts.entry((finding.pcr, finding.code.id)).or_default();
        *count = count.saturating_add(1);
        if *count <= MAX_FINDINGS {
            *last = listed.len();
            listed.push(finding);
        }
    }
    for (count, last) in counts.into_values() {
        let more = count.saturating_sub(MAX_FINDINGS);
        if let Some(last) = listed.get_mut(last).filter(|_| more > 0) {
            last.detail.push_str(&format!(", and {more} more like it"));
        }
    }
    listed
}

impl From<&Deviation> for Finding {
    fn from(deviation: &Deviation) -> Self {
        let (expected, found) = deviation.sides();
        Self {
            code: deviation.code(),
            subject: Subject::Registers,
            pcr: deviation.pcr(),
            detail: deviation.to_string(),
            expected,
            found,
        }
    }
}

impl From<&Violation> for Finding {
    fn from(violation: &Violation) -> Self {
        let (expected, found) = violation.sides();
        Self {
            code: violation.code(),
            subject: violation.subject(),
            pcr: violation.pcr(),
            detail: violation.to_string(),
            expected,
            found,
        }
    }
}
