//! Why a quote does not count.

use crate::code::{self, Code};
use crate::tpm::Fault;
use crate::tpm::attest::AttestError;
use crate::tpm::signature::SignatureError;

/// Why a quote does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// Not a quote that a TPM made.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// The signature does not hold, or is of another kind than the key's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signature is spelt in another way than the format's.
    #[error("the signature is in another spelling (n - s, or short numbers) than the format's")]
    Spelling,
    /// The key that signed does not stand where an attestation key stands.
    #[error("the signer's qualified name is {found}, expected {expected}")]
    Signer {
        /// The names it may have, hexadecimal.
        expected: String,
        /// The one in the quote, hexadecimal.
        found: String,
    },
    /// Another qualifying data: another nonce or another evidence.
    #[error("the qualifying data is {found}, expected {expected}")]
    Qualifying {
        /// Computed from the evidence, or given, hexadecimal.
        expected: String,
        /// In the quote, hexadecimal.
        found: String,
    },
    /// Other banks or registers than the policy's.
    #[error("the quote covers {found}, the policy wants {expected}")]
    Selection {
        /// The policy's.
        expected: String,
        /// The quote's.
        found: String,
    },
    /// The values given are not of exactly the registers quoted.
    #[error("values are given for {found}, the quote covers {expected}")]
    Registers {
        /// Quoted.
        expected: String,
        /// Given.
        found: String,
    },
    /// The values are not those that the digest is over.
    #[error("the values digest to {found}, the quote is over {expected}")]
    Digest {
        /// In the quote, hexadecimal.
        expected: String,
        /// Over the values, hexadecimal.
        found: String,
    },
    /// The bank is unused: every register is zero or every one is all ones.
    #[error("the bank is not in use: {0}")]
    Empty(String),
}

impl QuoteError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Attest(AttestError::Magic { .. }) => &code::QUOTE_MAGIC,
            Self::Attest(AttestError::Kind { .. }) => &code::QUOTE_KIND,
            Self::Attest(AttestError::Structure(error))
            | Self::Signature(SignatureError::Structure(error)) => match error.fault {
                Fault::Malformed => &code::QUOTE_MALFORMED,
                Fault::Refused => &code::QUOTE_REFUSED,
            },
            Self::Signature(SignatureError::Scheme { .. }) => &code::QUOTE_SCHEME,
            Self::Signature(SignatureError::Wrong) => &code::QUOTE_SIGNATURE,
            Self::Spelling => &code::QUOTE_SPELLING,
            Self::Signer { .. } => &code::QUOTE_SIGNER,
            Self::Qualifying { .. } => &code::QUOTE_QUALIFYING,
            Self::Selection { .. } => &code::QUOTE_SELECTION,
            Self::Registers { .. } => &code::QUOTE_REGISTERS,
            Self::Digest { .. } => &code::QUOTE_DIGEST,
            Self::Empty(_) => &code::QUOTE_EMPTY,
        }
    }
}
