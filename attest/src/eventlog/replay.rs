//! Replaying logs and holding them against a quote.

use super::coverage::Coverage;
use super::event::Event;
use super::kind::{EV_IPL, type_name};
use super::log::Log;
use super::parse::EventLog;
use super::payload::Payload;
use super::registers::first_value;
use super::userspace::{UserspaceEvent, UserspaceLog};
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::quote::VerifiedQuote;
use crate::tpm::ALG_SHA256;

/// An event whose digest the quote vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedEvent<'b> {
    /// The log that it is in: `firmware` or `runtime`.
    pub log: &'static str,
    /// Its number in that log, from 1.
    pub number: usize,
    /// The register.
    pub pcr: u8,
    /// The event type. Not authenticated. Of a record of systemd `EV_IPL`, as which its loader
    /// would have measured the same.
    pub event_type: u32,
    /// The SHA-256 digest that was extended.
    pub digest: Digest,
    said: Said<'b>,
}

/// What the log says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said<'b> {
    Firmware(Event<'b>),
    Userspace(UserspaceEvent<'b>),
}

/// The events of the logs that lead to the quoted values. Made only by [`ReplayedLog::check`].
/// The order is authenticated within a register, not between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedLog<'b> {
    events: Vec<ReplayedEvent<'b>>,
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

impl<'b> ReplayedLog<'b> {
    /// Replays the firmware's log and then the runtime log, and compares every quoted register.
    ///
    /// # Errors
    /// Every register that differs; at least one.
    pub fn check(
        firmware: &EventLog<'b>,
        runtime: &Log<'b>,
        quote: &VerifiedQuote,
    ) -> Result<Self, Vec<ReplayError>> {
        let first = replayed_firmware("firmware", firmware);
        let second = match runtime {
            Log::Firmware(log) => replayed_firmware("runtime", log),
            Log::Userspace(log) => replayed_userspace("runtime", log),
        };
        let mut errors = Vec::new();
        for (pcr, quoted) in quote.values() {
            let of_pcr = |event: &&ReplayedEvent<'b>| event.pcr == *pcr;
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
        let quoted = |event: &ReplayedEvent<'b>| quote.value(event.pcr).is_some();
        let events = first.into_iter().chain(second).filter(quoted).collect();
        Ok(Self { events })
    }

    /// The events of a register, in order.
    pub fn of(&self, pcr: u8) -> impl Iterator<Item = &ReplayedEvent<'b>> {
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

impl<'b> ReplayedEvent<'b> {
    /// Its place, for messages: "firmware event 12 (EV_IPL)".
    #[must_use]
    pub fn place(&self) -> String {
        let kind = match &self.said {
            Said::Firmware(event) => type_name(event.event_type),
            Said::Userspace(_) => "of systemd",
        };
        format!("{} event {} ({kind})", self.log, self.number)
    }

    /// The event of a TCG log, with its payload and what of it is authenticated. `None` for a
    /// record of systemd.
    #[must_use]
    pub const fn event(&self) -> Option<&Event<'b>> {
        match &self.said {
            Said::Firmware(event) => Some(event),
            Said::Userspace(_) => None,
        }
    }

    /// The record of systemd's log. `None` for an event of a TCG log.
    #[must_use]
    pub const fn record(&self) -> Option<&UserspaceEvent<'b>> {
        match &self.said {
            Said::Firmware(_) => None,
            Said::Userspace(record) => Some(record),
        }
    }

    /// The payload of a TCG log's event, read by its type. Authenticated where
    /// [`Self::coverage`] says so, and nowhere else.
    #[must_use]
    pub fn payload(&self) -> Option<Payload<'b>> {
        self.event().map(Event::payload)
    }

    /// What the digest covers: of a TCG log's payload, or of a systemd record's string.
    #[must_use]
    pub const fn coverage(&self) -> Coverage {
        match &self.said {
            Said::Firmware(event) => event.coverage(),
            Said::Userspace(record) => record.coverage,
        }
    }
}

fn replayed_firmware<'b>(log: &'static str, events: &EventLog<'b>) -> Vec<ReplayedEvent<'b>> {
    let extending = events.events().iter().filter(|event| event.extends());
    let replayed = extending.filter_map(|event| {
        Some(ReplayedEvent {
            log,
            number: event.number,
            pcr: event.pcr,
            event_type: event.event_type,
            digest: event.sha256()?,
            said: Said::Firmware(event.clone()),
        })
    });
    replayed.collect()
}

fn replayed_userspace<'b>(log: &'static str, events: &UserspaceLog<'b>) -> Vec<ReplayedEvent<'b>> {
    let extending = events.events().iter().filter(|event| event.extends());
    let replayed = extending.filter_map(|event| {
        Some(ReplayedEvent {
            log,
            number: event.number,
            pcr: event.pcr,
            event_type: EV_IPL,
            digest: Digest::from_slice(event.digest(ALG_SHA256)?)?,
            said: Said::Userspace(event.clone()),
        })
    });
    replayed.collect()
}

fn start_value(pcr: u8, firmware: &EventLog<'_>) -> Digest {
    let first = first_value(pcr, 32, firmware.startup_locality());
    Digest::from_slice(first.as_bytes()).unwrap_or(Digest::ZERO)
}

fn extend(value: Digest, event: &ReplayedEvent<'_>) -> Digest {
    Digest::of_parts(&[value.as_bytes(), event.digest.as_bytes()])
}

/// Whether a log has the bank that quotes are over.
pub(crate) fn has_policy_bank(banks: &[(u16, usize)]) -> bool {
    banks.iter().any(|(bank, _)| *bank == ALG_SHA256)
}
