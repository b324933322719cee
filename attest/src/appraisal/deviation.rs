//! Comparing what was measured with what the release says must be measured.
//!
//! Register by register, event by event, so that the first event that differs is named. A
//! register that the platform's vendor owns is compared with its value at enrolment.

use super::{Measured, Standard, loader};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::enrolment::EnrolmentRequest;
use crate::eventlog::payload::Payload;
use crate::eventlog::type_name;
use crate::release::{ExpectedEvent, Reference, Release, Rule};

/// A register that is not as the release or the enrolment has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Deviation {
    /// The first event that is another one than expected.
    #[error("register {pcr}: {place} is not {name}: expected {expected}, found {found}{claim}")]
    Event {
        /// The register.
        pcr: u8,
        /// Where the event stands in the log.
        place: String,
        /// What it should have measured.
        name: String,
        /// The digests that are right.
        expected: String,
        /// What the log's unauthenticated text says of the event; may be empty.
        claim: String,
        /// The digest found.
        found: Digest,
    },
    /// An event with the right digest is given out as another kind.
    #[error("register {pcr}: {place} should be {}", type_name(*expected))]
    Type {
        /// The register.
        pcr: u8,
        /// Where the event stands in the log.
        place: String,
        /// The type expected.
        expected: u32,
    },
    /// The log ends before the register is complete.
    #[error("register {pcr}: {name} was never measured")]
    Missing {
        /// The register.
        pcr: u8,
        /// What should have been measured.
        name: String,
        /// The digests that are right.
        expected: String,
    },
    /// Something more was measured.
    #[error("register {pcr}: {place} is one too many: {found}{claim}")]
    Extra {
        /// The register.
        pcr: u8,
        /// Where the event stands in the log.
        place: String,
        /// What the log's unauthenticated text says of the event; may be empty.
        claim: String,
        /// Its digest.
        found: Digest,
    },
    /// A register of the platform has another value than at enrolment.
    #[error("register {pcr}, which the platform owns: {expected} at enrolment, {found} now")]
    Platform {
        /// The register.
        pcr: u8,
        /// At enrolment.
        expected: Digest,
        /// Quoted.
        found: Digest,
    },
    /// Nothing is known to compare a quoted register with.
    #[error("register {pcr}: neither release nor enrolment says what it must be")]
    Unknown {
        /// The register.
        pcr: u8,
    },
}

impl Deviation {
    /// The stable code of this deviation.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Event { .. } => &code::REGISTER_EVENT,
            Self::Type { .. } => &code::REGISTER_TYPE,
            Self::Missing { .. } => &code::REGISTER_MISSING,
            Self::Extra { .. } => &code::REGISTER_EXTRA,
            Self::Platform { .. } => &code::REGISTER_PLATFORM,
            Self::Unknown { .. } => &code::REGISTER_UNKNOWN,
        }
    }

    /// The register.
    #[must_use]
    pub const fn pcr(&self) -> u8 {
        match self {
            Self::Event { pcr, .. }
            | Self::Type { pcr, .. }
            | Self::Missing { pcr, .. }
            | Self::Extra { pcr, .. }
            | Self::Platform { pcr, .. }
            | Self::Unknown { pcr } => *pcr,
        }
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn sides(&self) -> (String, String) {
        match self {
            Self::Event {
                name,
                expected,
                found,
                ..
            } => (format!("{name} {expected}"), found.to_string()),
            Self::Type {
                place, expected, ..
            } => (type_name(*expected).to_owned(), place.clone()),
            Self::Missing { name, expected, .. } => {
                (format!("{name} {expected}"), "no event".to_owned())
            }
            Self::Extra { found, .. } => ("no event".to_owned(), found.to_string()),
            Self::Platform {
                expected, found, ..
            } => (expected.to_string(), found.to_string()),
            Self::Unknown { .. } => ("a reference".to_owned(), "none".to_owned()),
        }
    }
}

/// Compares one register with what the release or the enrolment says of it.
pub(super) fn compare(
    standard: &Standard<'_>,
    pcr: u8,
    found: Digest,
    events: &[Measured<'_>],
) -> Option<Deviation> {
    let Some(reference) = standard.release.reference(pcr) else {
        return Some(Deviation::Unknown { pcr });
    };
    match reference.rule {
        Rule::Events => compare_events(standard.release, reference, events),
        Rule::Enrolled => compare_enrolled(pcr, standard.enrolled, found),
    }
}

fn compare_enrolled(pcr: u8, enrolled: &EnrolmentRequest, found: Digest) -> Option<Deviation> {
    match enrolled.pcrs.iter().find(|value| value.pcr == pcr) {
        None => Some(Deviation::Unknown { pcr }),
        Some(value) if value.value == found => None,
        Some(value) => Some(Deviation::Platform {
            pcr,
            expected: value.value,
            found,
        }),
    }
}

/// Whether a register's events are those that a release has.
pub(super) fn matches(release: &Release, pcr: u8, events: &[Measured<'_>]) -> bool {
    let reference = release.reference(pcr);
    reference.is_some_and(|reference| {
        reference.rule == Rule::Events && compare_events(release, reference, events).is_none()
    })
}

/// The events must be there in order; of the tail, any beginning.
fn compare_events(
    release: &Release,
    reference: &Reference,
    events: &[Measured<'_>],
) -> Option<Deviation> {
    let pcr = reference.pcr;
    let booted = match pcr {
        4 => loader::without_failed_attempts(release.boot, events),
        _ => events.to_vec(),
    };
    let mut events = booted.iter();
    for expected in &reference.events {
        let Some(event) = events.next() else {
            let name = expected.name.clone();
            return Some(Deviation::Missing {
                pcr,
                name,
                expected: listed(expected),
            });
        };
        if let Some(deviation) = compare_event(expected, event) {
            return Some(deviation);
        }
    }
    let mut tail = reference.tail.iter();
    for event in events {
        let Some(expected) = tail.next() else {
            return Some(Deviation::Extra {
                pcr,
                place: event.place(),
                claim: claim(event),
                found: event.digest,
            });
        };
        if let Some(deviation) = compare_event(expected, event) {
            return Some(deviation);
        }
    }
    None
}

fn compare_event(expected: &ExpectedEvent, event: &Measured<'_>) -> Option<Deviation> {
    let (pcr, place) = (event.pcr, event.place());
    if !expected.digests.contains(&event.digest) {
        let name = expected.name.clone();
        let (expected, found) = (listed(expected), event.digest);
        return Some(Deviation::Event {
            pcr,
            place,
            name,
            claim: claim(event),
            expected,
            found,
        });
    }
    let expected = expected.event_type;
    (event.event_type != expected).then_some(Deviation::Type {
        pcr,
        place,
        expected,
    })
}

fn listed(event: &ExpectedEvent) -> String {
    let digests: Vec<String> = event.digests.iter().map(ToString::to_string).collect();
    digests.join(" or ")
}

/// What the log says of an event in words that its digest does not cover.
fn claim(event: &Measured<'_>) -> String {
    let claimed = match event.payload() {
        _ if event.words.is_some() => event.words.unwrap_or_default().to_owned(),
        Payload::Text(text) => text.to_string(),
        Payload::Image(image) => match image.path.file() {
            Some(file) => file.to_string(),
            None => return String::new(),
        },
        _ => return String::new(),
    };
    let claimed: String = claimed.chars().take(120).collect();
    format!("; the log, unauthenticated, calls it \"{claimed}\"")
}
