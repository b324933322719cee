//! Registers of the platform: as at enrolment, or what became different since.
//!
//! An enrolment vouches for the values of registers 0 to 7 and for the SHA-256 of the firmware's
//! log of that time. The auditor who kept that log gets differences explained; the explanation
//! reads payloads that no digest covers and is a help, not a ground of the verdict.

use super::{Database, Finding, Measured, Standard, Violation};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::enrolment::EnrolmentRequest;
use crate::eventlog::payload::{Content, Payload, Variable};
use crate::eventlog::{EventLog, LogError, kind, type_name};
use crate::release::Rule;

/// The most differences that are told of one register.
const MAX_TOLD: usize = 12;

/// The firmware's log at enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline<'b> {
    log: EventLog<'b>,
}

/// Why a log is not that of the enrolment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Its digest is another one.
    #[error("the enrolment is of another log: expected {expected}, found {found}")]
    Other {
        /// In the enrolment.
        expected: Digest,
        /// Of the log given.
        found: Digest,
    },
    /// It cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl BaselineError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Other { .. } => &code::PLATFORM_LOG,
            Self::Log(error) => error.code(),
        }
    }
}

impl<'b> Baseline<'b> {
    /// Reads the firmware log that the enrolment names by its digest.
    ///
    /// # Errors
    /// [`BaselineError`] when it is another log or cannot be read.
    pub fn read(bytes: &'b [u8], enrolled: &EnrolmentRequest) -> Result<Self, BaselineError> {
        let (expected, found) = (enrolled.firmware_log, Digest::of(bytes));
        if found != expected {
            return Err(BaselineError::Other { expected, found });
        }
        let log = EventLog::parse(bytes)?;
        Ok(Self { log })
    }

    fn of(&self, pcr: u8) -> Vec<Measured<'b>> {
        let events = self.log.events().iter();
        let events = events.filter(|event| event.extends() && event.pcr == pcr);
        let measured = events.filter_map(|event| {
            Some(Measured {
                log: "enrolled",
                number: event.number,
                pcr,
                event_type: event.event_type,
                digest: event.sha256()?,
                data: event.data,
                words: None,
            })
        });
        measured.collect()
    }
}

/// An event of a platform register that now goes by another type, its digest unchanged: the
/// register's value is right and the log still lies. Needs the log of the enrolment.
pub(super) fn retyped(
    standard: &Standard<'_>,
    pcr: u8,
    events: &[Measured<'_>],
) -> Option<Violation> {
    let reference = standard.release.reference(pcr)?;
    let before = standard.baseline?.of(pcr);
    let digests = |events: &[Measured<'_>]| -> Vec<Digest> {
        events.iter().map(|event| event.digest).collect()
    };
    if reference.rule != Rule::Enrolled || digests(&before) != digests(events) {
        return None;
    }
    let mut pairs = before.iter().zip(events);
    let (then, now) = pairs.find(|(then, now)| then.event_type != now.event_type)?;
    Some(Violation::Retyped {
        pcr,
        place: now.place(),
        expected: type_name(then.event_type),
    })
}

/// Adds to a platform register's finding what became different since enrolment.
pub(super) fn explain(standard: &Standard<'_>, events: &[Measured<'_>], finding: &mut Finding) {
    if finding.code != &code::REGISTER_PLATFORM {
        return;
    }
    let Some(baseline) = standard.baseline else {
        finding
            .detail
            .push_str("; with the firmware log of the enrolment it could be said what changed");
        return;
    };
    let told = differences(&baseline.of(finding.pcr), events);
    finding.detail = format!("register {}: {}", finding.pcr, told.join("; "));
}

/// What became different, in sentences.
fn differences(before: &[Measured<'_>], now: &[Measured<'_>]) -> Vec<String> {
    let gone = without(before, now);
    let mut came = without(now, before);
    let mut told = Vec::new();
    for old in gone {
        let partner = came.iter().position(|new| same_thing(&old, new));
        match partner.map(|at| came.remove(at)) {
            Some(new) => told.push(changed(&old, &new)),
            None => told.push(format!("{} is gone", named(&old))),
        }
    }
    told.extend(came.iter().map(|new| format!("{} came new", named(new))));
    if told.is_empty() {
        told.push("the same events in another order".to_owned());
    }
    if told.len() > MAX_TOLD {
        let more = told.len().saturating_sub(MAX_TOLD);
        told.truncate(MAX_TOLD);
        told.push(format!("and {more} more differences"));
    }
    told
}

/// The events that the others do not have, each as often as it is missing there.
fn without<'b>(events: &[Measured<'b>], others: &[Measured<'_>]) -> Vec<Measured<'b>> {
    let mut others: Vec<_> = others.iter().map(|e| (e.event_type, e.digest)).collect();
    let mut left = Vec::new();
    for event in events {
        let same = others
            .iter()
            .position(|o| *o == (event.event_type, event.digest));
        match same {
            Some(at) => drop(others.swap_remove(at)),
            None => left.push(*event),
        }
    }
    left
}

/// Whether two events measure one thing at two times.
fn same_thing(old: &Measured<'_>, new: &Measured<'_>) -> bool {
    if old.event_type != new.event_type {
        return false;
    }
    match (old.payload(), new.payload()) {
        (Payload::Variable(old), Payload::Variable(new)) => {
            (old.vendor, old.name) == (new.vendor, new.name)
        }
        (Payload::Image(old), Payload::Image(new)) => old.path == new.path,
        (Payload::Blob(old), Payload::Blob(new)) => {
            (old.base, old.length) == (new.base, new.length)
        }
        (Payload::Separator(_), _) | (Payload::Action(_), _) => false,
        _ => true,
    }
}

fn changed(old: &Measured<'_>, new: &Measured<'_>) -> String {
    let (Payload::Variable(before), Payload::Variable(now)) = (old.payload(), new.payload()) else {
        return format!("{} changed: {} before", named(new), short(old));
    };
    match (before.content(false), now.content(false)) {
        (Content::Signatures(before), Content::Signatures(after)) => {
            let (before, after) = (Database::of(&before), Database::of(&after));
            format!("{} {}", now.name, balance(&before, &after))
        }
        (Content::Order(before), Content::Order(after)) => format!(
            "the boot order changed from {} to {}",
            listed(&before),
            listed(&after)
        ),
        _ => format!("{} changed", variable(&now)),
    }
}

/// "gained 1 hash, lost CN=..."
fn balance(before: &Database, after: &Database) -> String {
    let mut said = Vec::new();
    let missing = |from: &Database, other: &Database, verb: &str| -> Vec<String> {
        let gone = from.certificates.iter();
        let gone = gone.filter(|held| !other.certificates.iter().any(|o| o.1 == held.1));
        gone.map(|(subject, digest)| format!("{verb} {subject} ({digest})"))
            .collect()
    };
    said.extend(missing(after, before, "gained"));
    said.extend(missing(before, after, "lost"));
    for (then, now, what) in [
        (before.hashes, after.hashes, "hash"),
        (before.others, after.others, "other entry"),
    ] {
        let plural = |count: usize| match (count, what) {
            (1, _) => format!("one {what}"),
            (_, "hash") => format!("{count} hashes"),
            _ => format!("{count} other entries"),
        };
        match now.cmp(&then) {
            std::cmp::Ordering::Greater => {
                said.push(format!("gained {}", plural(now.saturating_sub(then))));
            }
            std::cmp::Ordering::Less => {
                said.push(format!("lost {}", plural(then.saturating_sub(now))));
            }
            std::cmp::Ordering::Equal => {}
        }
    }
    if said.is_empty() {
        said.push("has other entries of the same number".to_owned());
    }
    said.join(", ")
}

fn listed(order: &[u16]) -> String {
    let numbers: Vec<String> = order.iter().map(|number| format!("{number:04X}")).collect();
    numbers.join(",")
}

fn variable(variable: &Variable<'_>) -> String {
    match variable.content(false) {
        Content::LoadOption(option) => {
            format!(
                "the boot option {} \"{}\"",
                variable.name, option.description
            )
        }
        Content::Order(_) => "the boot order".to_owned(),
        _ => format!("the variable {}", variable.name),
    }
}

/// An event as a reader would call it.
fn named(event: &Measured<'_>) -> String {
    let what = match (event.pcr, event.payload()) {
        (_, Payload::Variable(measured)) => return variable(&measured),
        (2, Payload::Image(_)) => "an option ROM or driver",
        (_, Payload::Image(_)) => "an image",
        (0, Payload::Text(_) | Payload::Guid(_)) if event.event_type == kind::EV_S_CRTM_VERSION => {
            "the firmware's version"
        }
        (_, Payload::Blob(_)) => "firmware code",
        (_, Payload::Gpt(_)) => "the partition table",
        (_, Payload::Tables(_)) => "tables handed to the system",
        (_, Payload::Action(_)) => "the firmware's words",
        _ => type_name(event.event_type),
    };
    format!("{what} ({})", short(event))
}

fn short(event: &Measured<'_>) -> String {
    event.payload().to_string().chars().take(100).collect()
}
