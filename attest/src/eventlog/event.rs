//! One event of a log.

use std::ops::Range;

use super::coverage::{self, Coverage};
use super::kind::{EV_NO_ACTION, EV_SEPARATOR};
use super::payload::{Payload, Separator};
use crate::digest::Digest;
use crate::tpm::ALG_SHA256;

/// An event as it stands in the log's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'b> {
    /// Its number in the log, from 1; the header is 0.
    pub number: usize,
    /// Where it begins.
    pub offset: usize,
    /// The register; [`super::NO_REGISTER`] for an `EV_NO_ACTION` that names none.
    pub pcr: u8,
    /// The `TCG_EVENTTYPE`. Not authenticated.
    pub event_type: u32,
    /// A digest for each bank of the log, or for some of those that the header declares, with its `TPM_ALG_ID`.
    pub digests: Vec<(u16, &'b [u8])>,
    /// The payload. Authenticated only where the digest is over it, see [`Event::coverage`].
    pub data: &'b [u8],
    pub(super) coverage: Coverage,
    pub(super) len: usize,
}

impl<'b> Event<'b> {
    /// The payload, read by the event's type. A separator whose digest is of the number 1 tells
    /// of an error, whatever its payload says.
    #[must_use]
    pub fn payload(&self) -> Payload<'b> {
        if self.event_type == EV_SEPARATOR && coverage::is_error(&self.digests) {
            return Payload::Separator(Separator::Error);
        }
        Payload::read(self.event_type, self.data)
    }

    /// The digest of this bank.
    #[must_use]
    pub fn digest(&self, bank: u16) -> Option<&'b [u8]> {
        let digest = self.digests.iter().find(|(own, _)| *own == bank);
        digest.map(|(_, digest)| *digest)
    }

    /// The digest of the SHA-256 bank.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        self.digest(ALG_SHA256).and_then(Digest::from_slice)
    }

    /// Whether the event extends its register: all do but `EV_NO_ACTION`.
    #[must_use]
    pub const fn extends(&self) -> bool {
        self.event_type != EV_NO_ACTION
    }

    /// Which bytes of the payload the digest covers, as the event's type calls for and as they
    /// were hashed again. Everything else of the payload is unauthenticated.
    #[must_use]
    pub const fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// The bytes of the payload that are authenticated once the digest is.
    #[must_use]
    pub fn covered(&self) -> &'b [u8] {
        let range = self.coverage.range(self.data.len());
        self.data.get(range).unwrap_or_default()
    }

    /// Whether the whole payload is authenticated once the digest is.
    #[must_use]
    pub fn covers_payload(&self) -> bool {
        self.coverage == Coverage::Whole
    }

    /// Bytes of the payload that give the event's digest although the type does not call for
    /// it, such as the string of a boot loader: they are what was measured. Hashes at each call.
    #[must_use]
    pub fn digested(&self) -> Option<Range<usize>> {
        match self.coverage {
            Coverage::None if self.extends() => {
                coverage::found(self.event_type, &self.digests, self.data)
            }
            Coverage::None => None,
            coverage => Some(coverage.range(self.data.len())),
        }
    }

    /// Whether the bytes that the digest covers still give it: hashes them once more. Of a parsed
    /// log's event it is always so.
    #[must_use]
    pub fn payload_holds(&self) -> bool {
        coverage::of(self.event_type, &self.digests, self.data) == Ok(self.coverage)
    }

    /// How many bytes of the log the event takes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it takes none, which no event does.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the payload begins in the log.
    #[must_use]
    pub const fn data_offset(&self) -> usize {
        self.offset
            .saturating_add(self.len)
            .saturating_sub(self.data.len())
    }
}
