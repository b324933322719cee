//! A body of bytes signed by one Ed25519 key, for the enrolment record and the artifact manifest.
//!
//! The signature covers `domain || body`; the domain differs by format, so that a body of one
//! format is never a signed body of another. An envelope names the key that signed it. That is a
//! claim: [`Envelope::open`] is given the key that is trusted, and the two must be equal.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use crate::code::{self, Code};

/// What a signature over a body is for; the first bytes that are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(pub(crate) &'static str);

/// A signed body, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// The body, canonical CBOR of the format.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// The Ed25519 public key that is said to have signed.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// The Ed25519 signature over domain and body.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// Why an envelope is not the trusted key's word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Another key than the trusted one is named.
    #[error("signed by key {found}, expected {expected}")]
    Key {
        /// The trusted key, hexadecimal.
        expected: String,
        /// The key named, hexadecimal.
        found: String,
    },
    /// The signature does not hold for the trusted key.
    #[error("the signature does not hold for the key {key}")]
    Signature {
        /// The trusted key, hexadecimal.
        key: String,
    },
}

impl EnvelopeError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Key { .. } => &code::ENVELOPE_KEY,
            Self::Signature { .. } => &code::ENVELOPE_SIGNATURE,
        }
    }
}

impl Envelope {
    /// Signs `body` for `domain`.
    #[must_use]
    pub fn seal(domain: Domain, body: Vec<u8>, key: &SigningKey) -> Self {
        let signature = key.sign(&message(domain, &body)).to_bytes();
        Self {
            body,
            key: key.verifying_key().to_bytes(),
            signature,
        }
    }

    /// The body, when `key` signed it for `domain`.
    ///
    /// # Errors
    /// [`EnvelopeError`] when another key is named or the signature does not hold.
    pub fn open(&self, domain: Domain, key: &VerifyingKey) -> Result<&[u8], EnvelopeError> {
        if &self.key != key.as_bytes() {
            return Err(EnvelopeError::Key {
                expected: hex::encode(key.as_bytes()),
                found: hex::encode(self.key),
            });
        }
        key.verify_strict(
            &message(domain, &self.body),
            &Signature::from_bytes(&self.signature),
        )
        .map_err(|_| EnvelopeError::Signature {
            key: hex::encode(key.as_bytes()),
        })?;
        Ok(&self.body)
    }
}

fn message(domain: Domain, body: &[u8]) -> Vec<u8> {
    [domain.0.as_bytes(), b"\n", body].concat()
}
