//! Why bytes are not a log.

use crate::code::{self, Code};
use crate::tpm::StructureError;

/// Why bytes are not a log. Every error says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The bytes are not records of the form.
    #[error("event {event} at byte {offset}: {reason}")]
    Malformed {
        /// The event's number; the header is 0.
        event: usize,
        /// The byte of the log.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// `StartupLocality` is there twice, after the first extend of PCR 0, or with another
    /// locality than 0, 3 or 4 (section 10.4.5.3); or the H-CRTM event is not PCR 0's first or
    /// contradicts the locality.
    #[error("event {event} at byte {offset}: {reason}")]
    Locality {
        /// The event's number.
        event: usize,
        /// Where the event begins.
        offset: usize,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The log has no SHA-256 digests, and the quote is over that bank.
    #[error("the log has no SHA-256 digests")]
    Bank,
    /// An event's payload is not what its digest was made over.
    #[error(
        "event {event} ({kind}) at byte {offset}: the payload is not the one that was digested"
    )]
    Payload {
        /// The event's number.
        event: usize,
        /// Where its payload begins.
        offset: usize,
        /// Its type's name.
        kind: &'static str,
    },
    /// A record of systemd's log is not of its form.
    #[error("record {record} at byte {offset}: {reason}")]
    Record {
        /// The record's number, from 1.
        record: usize,
        /// The byte.
        offset: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A record's string is not what its digests were made over.
    #[error("record {record} at byte {offset}: the string is not the one that was digested")]
    Text {
        /// The record's number, from 1.
        record: usize,
        /// Where the record begins.
        offset: usize,
    },
}

impl LogError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Malformed { .. } | Self::Record { .. } => &code::LOG_MALFORMED,
            Self::Locality { .. } => &code::LOG_LOCALITY,
            Self::Bank => &code::LOG_BANK,
            Self::Payload { .. } | Self::Text { .. } => &code::LOG_PAYLOAD,
        }
    }

    /// The byte of the log that is wrong, where there is one.
    #[must_use]
    pub const fn offset(&self) -> Option<usize> {
        match self {
            Self::Malformed { offset, .. }
            | Self::Locality { offset, .. }
            | Self::Payload { offset, .. }
            | Self::Record { offset, .. }
            | Self::Text { offset, .. } => Some(*offset),
            Self::Bank => None,
        }
    }

    pub(super) fn malformed(event: usize, offset: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Malformed {
            event,
            offset,
            reason,
        }
    }

    pub(super) fn structure(event: usize, error: StructureError) -> Self {
        Self::malformed(event, error.offset, error.reason)
    }
}
