//! Checking a quote. Only [`VerifiedQuote::check`] makes a [`VerifiedQuote`], and register values
//! are to be had from nothing else.
//!
//! [`signed`] holds what is true of every quote; here is what an evidence demands besides;
//! [`single`] judges one quote that comes without an evidence.

pub mod claim;
mod error;
mod key;
pub mod signed;
pub mod single;

pub use error::QuoteError;
pub use key::{AttestationKey, KeyError};

use crate::digest::Digest;
use crate::evidence::{POLICY_PCRS, RawQuote};
use crate::leaf::TpmClock;
use crate::tpm::ALG_SHA256;
use crate::tpm::attest::Selection;
use claim::{ClaimedRegisters, selections_in_words};
use signed::{SignedQuote, Signer};

/// Register values that the attestation key's TPM vouches for, in answer to one qualifying data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedQuote {
    values: Vec<(u8, Digest)>,
    clock: TpmClock,
    clock_safe: bool,
    firmware_version: u64,
}

impl VerifiedQuote {
    /// Checks a quote by `key` over `qualifying`, which must cover exactly the policy's registers.
    ///
    /// # Errors
    /// [`QuoteError`], the first step that fails.
    pub fn check(
        raw: &RawQuote,
        key: &AttestationKey,
        qualifying: &Digest,
    ) -> Result<Self, QuoteError> {
        // 1. A TPM made it, it is a quote, and this key signed it with its one scheme and hash.
        let quote = SignedQuote::check(&raw.attest, &raw.signature, Signer::Tpm(key.public()))?;
        // 2. In the one spelling, so that nobody can write the same evidence in another way.
        if !quote.is_normalised() {
            return Err(QuoteError::Spelling);
        }
        // 3. The key stands in the endorsement hierarchy.
        let header = &quote.info().header;
        key.check_signer(&header.qualified_signer)?;
        // 4. For this evidence, so for this challenge.
        quote.answers(qualifying.as_bytes())?;
        // 5. Over exactly the registers of the policy: nothing resettable, nothing left out.
        check_selection(&quote.info().selections)?;
        if !raw.pcrs.iter().map(|pcr| pcr.pcr).eq(POLICY_PCRS) {
            let found: Vec<String> = raw.pcrs.iter().map(|pcr| pcr.pcr.to_string()).collect();
            return Err(QuoteError::Registers {
                expected: selections_in_words(&quote.info().selections),
                found: found.join(","),
            });
        }
        // 6. The values given are the ones quoted, and the bank is in use.
        quote.over(&ClaimedRegisters::of_sha256(&raw.pcrs))?;
        Ok(Self {
            values: raw.pcrs.iter().map(|pcr| (pcr.pcr, pcr.value)).collect(),
            clock: header.clock,
            clock_safe: header.clock_safe,
            firmware_version: header.firmware_version,
        })
    }

    /// The registers and their values, SHA-256 bank, ascending.
    #[must_use]
    pub fn values(&self) -> &[(u8, Digest)] {
        &self.values
    }

    /// A register's value.
    #[must_use]
    pub fn value(&self, pcr: u8) -> Option<&Digest> {
        self.values
            .iter()
            .find(|(index, _)| *index == pcr)
            .map(|(_, value)| value)
    }

    /// The TPM's clock when it signed.
    #[must_use]
    pub const fn clock(&self) -> TpmClock {
        self.clock
    }

    /// Whether the clock is known never to have gone back.
    #[must_use]
    pub const fn clock_is_safe(&self) -> bool {
        self.clock_safe
    }

    /// The TPM's firmware version.
    #[must_use]
    pub const fn firmware_version(&self) -> u64 {
        self.firmware_version
    }
}

fn check_selection(selections: &[Selection]) -> Result<(), QuoteError> {
    let policy = Selection {
        bank: ALG_SHA256,
        pcrs: POLICY_PCRS.to_vec(),
    };
    if selections == [policy.clone()] {
        return Ok(());
    }
    Err(QuoteError::Selection {
        expected: selections_in_words(&[policy]),
        found: selections_in_words(selections),
    })
}
