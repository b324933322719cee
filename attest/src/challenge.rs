//! The challenge file: what an auditor sends in so that the evidence that comes out is fresh.
//!
//! The nonce makes the evidence new. The credential, made for one enrolled EK and AK, can only be
//! opened by the TPM that holds both, so that its answer proves that the AK lives beside the EK.

use minicbor::{Decode, Encode};

use crate::codec::{self, CodecError};
use crate::digest::Digest;

/// The name and version of the challenge format.
pub const FORMAT: &str = "casemate.challenge.1";
/// The name and version of the secret side file.
pub const SECRET_FORMAT: &str = "casemate.challenge-secret.1";
/// The most bytes a challenge may have.
pub const MAX_CHALLENGE: usize = 4096;

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Challenge {
    #[n(0)]
    format: String,
    /// 32 random bytes of the verifier.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub nonce: [u8; 32],
    /// Who asks, or under which policy: for people, at most 128 bytes.
    #[n(2)]
    pub label: String,
    /// When the challenge was made, milliseconds since 1970 by the verifier's clock.
    #[n(3)]
    pub created_ms: u64,
    /// When it stops being good.
    #[n(4)]
    pub expires_ms: u64,
    /// The enrolment that the credential is for; of 32 zero bytes when there is no credential.
    #[n(5)]
    pub enrolment: Digest,
    /// `TPM2B_ID_OBJECT` for `TPM2_ActivateCredential`; empty when there is no credential.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub credential: Vec<u8>,
    /// `TPM2B_ENCRYPTED_SECRET` for it; empty when there is no credential.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub encrypted_secret: Vec<u8>,
}

/// What the verifier keeps to itself: the answer it expects.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChallengeSecret {
    #[n(0)]
    format: String,
    /// The SHA-256 of the challenge file.
    #[n(1)]
    pub challenge: Digest,
    /// The secret inside the credential.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub secret: [u8; 32],
}

impl Challenge {
    /// A challenge without a credential.
    #[must_use]
    pub fn new(nonce: [u8; 32], label: &str, created_ms: u64, expires_ms: u64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            nonce,
            label: label.to_owned(),
            created_ms,
            expires_ms,
            enrolment: Digest::ZERO,
            credential: Vec::new(),
            encrypted_secret: Vec::new(),
        }
    }

    /// The challenge file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a challenge file.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one canonical challenge of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let challenge: Self = codec::decode_canonical(bytes, MAX_CHALLENGE)?;
        codec::expect_format(&challenge.format, FORMAT)?;
        codec::expect_at_most("label", challenge.label.len(), 128)?;
        codec::expect_at_most("credential", challenge.credential.len(), 256)?;
        codec::expect_at_most("encrypted_secret", challenge.encrypted_secret.len(), 1024)?;
        let empty = challenge.credential.is_empty();
        if empty != challenge.encrypted_secret.is_empty()
            || empty != (challenge.enrolment == Digest::ZERO)
        {
            let reason = "credential, encrypted_secret and enrolment come together".to_owned();
            return Err(CodecError::Member {
                member: "credential",
                reason,
            });
        }
        Ok(challenge)
    }
}

impl ChallengeSecret {
    /// The side file of `challenge` (the file's bytes).
    #[must_use]
    pub fn new(challenge: &[u8], secret: [u8; 32]) -> Self {
        Self {
            format: SECRET_FORMAT.to_owned(),
            challenge: Digest::of(challenge),
            secret,
        }
    }

    /// The side file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a side file.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one canonical side file of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let secret: Self = codec::decode_canonical(bytes, 256)?;
        codec::expect_format(&secret.format, SECRET_FORMAT)?;
        Ok(secret)
    }
}
