//! The general check of one quote: by any kind of key, over any banks and registers. What an
//! evidence or an auditor demands besides is checked on top of it.

use std::collections::BTreeMap;

use super::QuoteError;
use super::claim::{ClaimedRegisters, selections_in_words};
use crate::tpm::attest::{QuoteInfo, Selection};
use crate::tpm::public::{Key, Public, Scheme};
use crate::tpm::signature::{RawSignature, SignatureError};
use crate::tpm::{Hash, bank_name};

/// The static registers of a PC (TCG PC Client Platform Firmware Profile, section 3.3.4): only a
/// reset of the machine sets them back.
const STATIC: std::ops::Range<u8> = 0..16;

/// The key that a signature is checked with.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'k> {
    /// A TPM key: its type, scheme and hash are one tuple.
    Tpm(&'k Public),
    /// A key of which only the numbers are known.
    Bare(&'k Key),
}

/// A quote that this key signed. Nothing is said of when, where the key is, or of any value.
/// Made only by [`SignedQuote::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedQuote {
    info: QuoteInfo,
    scheme: Scheme,
    hash: Hash,
    normalised: bool,
}

/// Values of which the quote's digest is. Made only by [`SignedQuote::over`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedRegisters {
    values: BTreeMap<(u16, u8), Vec<u8>>,
}

impl SignedQuote {
    /// Takes a `TPMS_ATTEST` and the `TPMT_SIGNATURE` over it.
    ///
    /// # Errors
    /// [`QuoteError`]: no TPM made it, it is no quote, or the key did not sign it with its one
    /// scheme and hash.
    pub fn check(attest: &[u8], signature: &[u8], signer: Signer<'_>) -> Result<Self, QuoteError> {
        // 1. A TPM made it, and it is a quote: a restricted key signs nothing else that begins
        //    so, and no other kind of attestation can be read as one.
        let info = QuoteInfo::from_bytes(attest)?;
        // 2. This key signed it.
        let signature = RawSignature::from_bytes(signature).map_err(SignatureError::from)?;
        let hash = signature.hash();
        let digest = hash.digest(attest);
        match signer {
            Signer::Tpm(public) => signature.verify_digest(public, &digest)?,
            Signer::Bare(key) => signature.verify_bare(key, &digest)?,
        }
        Ok(Self {
            info,
            scheme: signature.scheme(),
            hash,
            normalised: signature.is_normalised(),
        })
    }

    /// What was signed.
    #[must_use]
    pub const fn info(&self) -> &QuoteInfo {
        &self.info
    }

    /// The scheme and hash of the signature.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the signature has the one spelling that an evidence carries. A TPM may make the
    /// other one (n - s), and so may anyone: a quote's identity is never its signature.
    #[must_use]
    pub const fn is_normalised(&self) -> bool {
        self.normalised
    }

    /// Whether the quote was made for `qualifying`.
    ///
    /// # Errors
    /// [`QuoteError::Qualifying`] when it was made for something else, or for nothing.
    pub fn answers(&self, qualifying: &[u8]) -> Result<(), QuoteError> {
        let found = &self.info.header.qualifying;
        if found == qualifying {
            return Ok(());
        }
        Err(QuoteError::Qualifying {
            expected: hex::encode(qualifying),
            found: hex::encode(found),
        })
    }

    /// Checks that the quote is over exactly these values, bank by bank in the order signed.
    ///
    /// # Errors
    /// [`QuoteError`]: other registers, other values, or a bank that is not in use.
    pub fn over(&self, claimed: &ClaimedRegisters) -> Result<QuotedRegisters, QuoteError> {
        let selections = &self.info.selections;
        let other_registers = || QuoteError::Registers {
            expected: selections_in_words(selections),
            found: claimed.words(),
        };
        let mut values = BTreeMap::new();
        let mut signed = Vec::new();
        // Part 3, section 18.4 and Part 1, section 17.6.2: the banks in the order of the
        // selection, the registers of each ascending, hashed with the scheme's hash.
        for Selection { bank, pcrs } in selections {
            for pcr in pcrs {
                let value = claimed.value(*bank, *pcr).ok_or_else(other_registers)?;
                signed.extend_from_slice(value);
                values.insert((*bank, *pcr), value.to_vec());
            }
        }
        if values.len() != claimed.iter().count() {
            return Err(other_registers());
        }
        let found = self.hash.digest(&signed);
        if found != self.info.digest {
            return Err(QuoteError::Digest {
                expected: hex::encode(&self.info.digest),
                found: hex::encode(found),
            });
        }
        let registers = QuotedRegisters { values };
        registers.check_in_use()?;
        Ok(registers)
    }
}

impl QuotedRegisters {
    /// Banks, registers and values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u8, &[u8])> {
        self.values
            .iter()
            .map(|((bank, pcr), value)| (*bank, *pcr, value.as_slice()))
    }

    /// A bank that firmware does not extend could be extended by anyone later: each bank must
    /// have something in its static registers, if any of them is quoted.
    fn check_in_use(&self) -> Result<(), QuoteError> {
        let mut banks: Vec<u16> = self.values.keys().map(|(bank, _)| *bank).collect();
        banks.dedup();
        for bank in banks {
            let mut bytes = self
                .iter()
                .filter(|(of, pcr, _)| *of == bank && STATIC.contains(pcr))
                .flat_map(|(.., value)| value)
                .peekable();
            let Some(first) = bytes.peek().copied().copied() else {
                continue;
            };
            if matches!(first, 0 | 0xff) && bytes.all(|byte| *byte == first) {
                let what = if first == 0 { "zero" } else { "all ones" };
                let bank = bank_name(bank);
                return Err(QuoteError::Empty(format!(
                    "every {bank} register is {what}"
                )));
            }
        }
        Ok(())
    }
}
