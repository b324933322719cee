//! Replaying logs and holding them against a quote.

use super::kind::type_name;
use super::parse::EventLog;
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::quote::VerifiedQuote;
use crate::tpm::ALG_SHA256;

/// An event whose digest the quote vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedEvent {
    /// The log that it is in: `firmware` or `runtime`.
    pub log: &'static str,
    /// Its number in that log, from 1.
    pub number: usize,
    /// The register.
    pub pcr: u8,
    /// The event type. Not authenticated.
    pub event_type: u32,
    /// The SHA-256 digest that was extended.
    pub digest: Digest,
}

/// The events of the logs that lead to the quoted values. Made only by [`ReplayedLog::check`].
/// The order is authenticated within a register, not between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedLog {
    events: Vec<ReplayedEvent>,
}

/// A register whose events do not lead to its quoted value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The events give another value.
    #[error("register {pcr}: {events} events of the {log} give {found}, the TPM quotes {expected}")]
    Differs {
        /// The register.
        pcr: u8,
        /// How many events the logs have for it.
        events: usize,
        /// The log that they are in: firmware, runtime, or both.
        log: &'static str,
        /// Quoted.
        expected: Digest,
        /// Replayed.
        found: Digest,
    },
    /// There are no events, and the register is not at its reset value.
    #[error("register {pcr}: the logs have no event for it, the TPM quotes {expected}")]
    Absent {
        /// The register.
        pcr: u8,
        /// Quoted.
        expected: Digest,
    },
}

impl ReplayError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Differs { log: RUNTIME, .. } => &code::LOG_RUNTIME,
            Self::Differs { .. } => &code::LOG_FIRMWARE,
            Self::Absent { .. } => &code::LOG_ABSENT,
        }
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn sides(&self) -> (String, String) {
        match self {
            Self::Differs {
                expected, found, ..
            } => (expected.to_string(), found.to_string()),
            Self::Absent { expected, .. } => (expected.to_string(), "no event".to_owned()),
        }
    }
}

const FIRMWARE: &str = "firmware log";
const RUNTIME: &str = "runtime log";
const BOTH: &str = "firmware and runtime logs";

impl ReplayedLog {
    /// Replays the firmware's log and then the runtime log, and compares every quoted register.
    ///
    /// # Errors
    /// Every register that differs; at least one.
    pub fn check(
        firmware: &EventLog<'_>,
        runtime: &EventLog<'_>,
        quote: &VerifiedQuote,
    ) -> Result<Self, Vec<ReplayError>> {
        let first = replayed("firmware", firmware);
        let second = replayed("runtime", runtime);
        let mut errors = Vec::new();
        for (pcr, quoted) in quote.values() {
            let of_pcr = |event: &&ReplayedEvent| event.pcr == *pcr;
            let in_first = first.iter().filter(of_pcr).count();
            let in_second = second.iter().filter(of_pcr).count();
            let start = start_value(*pcr, firmware);
            let events = in_first.saturating_add(in_second);
            let found = first
                .iter()
                .chain(&second)
                .filter(of_pcr)
                .fold(start, extend);
            if found == *quoted {
                continue;
            }
            let (pcr, expected) = (*pcr, *quoted);
            errors.push(match (in_first, in_second) {
                (0, 0) => ReplayError::Absent { pcr, expected },
                (_, 0) => ReplayError::Differs {
                    pcr,
                    events,
                    log: FIRMWARE,
                    expected,
                    found,
                },
                (0, _) => ReplayError::Differs {
                    pcr,
                    events,
                    log: RUNTIME,
                    expected,
                    found,
                },
                _ => ReplayError::Differs {
                    pcr,
                    events,
                    log: BOTH,
                    expected,
                    found,
                },
            });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let quoted = |event: &ReplayedEvent| quote.value(event.pcr).is_some();
        let events = first.into_iter().chain(second).filter(quoted).collect();
        Ok(Self { events })
    }

    /// The events of a register, in order.
    pub fn of(&self, pcr: u8) -> impl Iterator<Item = &ReplayedEvent> {
        self.events.iter().filter(move |event| event.pcr == pcr)
    }

    /// How many events the quote vouches for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl ReplayedEvent {
    /// Its place, for messages: "firmware event 12 (EV_IPL)".
    #[must_use]
    pub fn place(&self) -> String {
        format!(
            "{} event {} ({})",
            self.log,
            self.number,
            type_name(self.event_type)
        )
    }
}

fn replayed(log: &'static str, events: &EventLog<'_>) -> Vec<ReplayedEvent> {
    let extending = events.events().iter().filter(|event| event.extends());
    let replayed = extending.filter_map(|event| {
        let (number, pcr, event_type) = (event.number, event.pcr, event.event_type);
        Some(ReplayedEvent {
            log,
            number,
            pcr,
            event_type,
            digest: event.sha256()?,
        })
    });
    replayed.collect()
}

/// A register's value before the first event (PC Client PTP, section 4.6.2).
fn start_value(pcr: u8, firmware: &EventLog<'_>) -> Digest {
    match pcr {
        0 => {
            let mut value = [0; 32];
            if let Some(last) = value.last_mut() {
                *last = firmware.startup_locality().unwrap_or(0);
            }
            Digest::new(value)
        }
        17..=22 => Digest::new([0xff; 32]),
        _ => Digest::ZERO,
    }
}

fn extend(value: Digest, event: &ReplayedEvent) -> Digest {
    Digest::of_parts(&[value.as_bytes(), event.digest.as_bytes()])
}

/// Whether the log has the bank that quotes are over.
pub(crate) fn has_policy_bank(log: &EventLog<'_>) -> bool {
    log.banks().iter().any(|(bank, _)| *bank == ALG_SHA256)
}
