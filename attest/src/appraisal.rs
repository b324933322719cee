//! Comparing what was measured with what the release says must be measured.
//!
//! Register by register, event by event, so that the first event that differs is named. A
//! register that the platform's vendor owns is compared with its value at enrolment.

use crate::code::{self, Code};
use crate::digest::Digest;
use crate::enrolment::EnrolmentRequest;
use crate::eventlog::{ReplayedEvent, ReplayedLog, type_name};
use crate::quote::VerifiedQuote;
use crate::release::{ExpectedEvent, Reference, Release, Rule};

/// A register that is not as the release or the enrolment has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Deviation {
    /// The first event that is another one than expected.
    #[error("register {pcr}: {place} is not {name}: expected {expected}, found {found}")]
    Event {
        /// The register.
        pcr: u8,
        /// Where the event stands in the log.
        place: String,
        /// What it should have measured.
        name: String,
        /// The digests that are right.
        expected: String,
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
    #[error("register {pcr}: {place} is one too many: {found}")]
    Extra {
        /// The register.
        pcr: u8,
        /// Where the event stands in the log.
        place: String,
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

/// Compares every quoted register; no deviation means that all of them are as they must be.
#[must_use]
pub fn deviations(
    release: &Release,
    enrolled: &EnrolmentRequest,
    quote: &VerifiedQuote,
    log: &ReplayedLog,
) -> Vec<Deviation> {
    let judge = |(pcr, found): &(u8, Digest)| {
        let Some(reference) = release.reference(*pcr) else {
            return Some(Deviation::Unknown { pcr: *pcr });
        };
        match reference.rule {
            Rule::Events => compare_events(reference, log),
            Rule::Enrolled => compare_enrolled(*pcr, enrolled, *found),
        }
    };
    quote.values().iter().filter_map(judge).collect()
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

/// The events must be there in order; of the tail, any beginning.
fn compare_events(reference: &Reference, log: &ReplayedLog) -> Option<Deviation> {
    let pcr = reference.pcr;
    let mut events = log.of(pcr);
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
            let (place, found) = (event.place(), event.digest);
            return Some(Deviation::Extra { pcr, place, found });
        };
        if let Some(deviation) = compare_event(expected, event) {
            return Some(deviation);
        }
    }
    None
}

fn compare_event(expected: &ExpectedEvent, event: &ReplayedEvent) -> Option<Deviation> {
    let (pcr, place) = (event.pcr, event.place());
    if !expected.digests.contains(&event.digest) {
        let name = expected.name.clone();
        let (expected, found) = (listed(expected), event.digest);
        return Some(Deviation::Event {
            pcr,
            place,
            name,
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
