//! One event of a log.

use sha2::{Digest as _, Sha256};

use super::kind::{EV_EFI_ACTION, EV_EFI_VARIABLE_DRIVER_CONFIG, EV_NO_ACTION, EV_SEPARATOR};
use super::payload::Payload;
use crate::digest::Digest;
use crate::tpm::ALG_SHA256;

/// An event as it stands in the log's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'b> {
    /// Its number in the log, from 1; the header is 0.
    pub number: usize,
    /// Where it begins.
    pub offset: usize,
    /// The register.
    pub pcr: u8,
    /// The `TCG_EVENTTYPE`. Not authenticated.
    pub event_type: u32,
    /// A digest for each bank of the log, with its `TPM_ALG_ID`.
    pub digests: Vec<(u16, &'b [u8])>,
    /// The payload. Authenticated only where the digest is over it, see [`Event::covers_payload`].
    pub data: &'b [u8],
}

impl<'b> Event<'b> {
    /// The payload, read by the event's type.
    #[must_use]
    pub fn payload(&self) -> Payload<'b> {
        Payload::read(self.event_type, self.data)
    }

    /// The digest of the SHA-256 bank.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        let digest = self.digests.iter().find(|(bank, _)| *bank == ALG_SHA256);
        digest.and_then(|(_, digest)| Digest::from_slice(digest))
    }

    /// Whether the event extends its register: all do but `EV_NO_ACTION`.
    #[must_use]
    pub const fn extends(&self) -> bool {
        self.event_type != EV_NO_ACTION
    }

    /// Whether the digest of this type of event is over its payload (PC Client PFP, section
    /// 10.4.1), so that the payload is authenticated once the digest is.
    #[must_use]
    pub const fn covers_payload(&self) -> bool {
        matches!(
            self.event_type,
            EV_SEPARATOR | EV_EFI_VARIABLE_DRIVER_CONFIG | EV_EFI_ACTION
        )
    }

    /// Whether the payload is the one digested, where the digest covers it.
    #[must_use]
    pub fn payload_holds(&self) -> bool {
        !self.covers_payload()
            || self
                .sha256()
                .is_none_or(|digest| digest.as_bytes()[..] == Sha256::digest(self.data)[..])
    }
}
