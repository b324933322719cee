//! What an owner no longer trusts: release keys, releases, attestation keys, endorsement CAs, and
//! releases below a number.
//!
//! The owner's word, signed as an enrolment record is, numbered and dated. A list says what is
//! revoked as of its date and nothing about later; whoever withholds a newer one hides what it
//! would say. So a verdict names the list's number and age, and warns when it is old.

use ed25519_dalek::{SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use crate::code::{self, Code};
use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::envelope::{Domain, Envelope, EnvelopeError};

/// The name and version of the format.
pub const FORMAT: &str = "casemate.revocations.1";
/// The most bytes a signed list may have.
pub const MAX_REVOCATIONS: usize = 1 << 20;
/// A list older than this is warned of, in milliseconds: 30 days.
pub const OLD_MS: u64 = 30 * 86_400_000;

const DOMAIN: Domain = Domain("casemate revocations v1");
const MAX_REASON: usize = 200;

/// What is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Kind {
    /// A release key, by its id ([`crate::release::key_id`]).
    #[n(0)]
    ReleaseKey,
    /// A release, by the SHA-256 of its signed manifest.
    #[n(1)]
    Release,
    /// An attestation key, by the SHA-256 of its `TPM2B_PUBLIC`.
    #[n(2)]
    AttestationKey,
    /// A certification authority of endorsement keys, by the SHA-256 of its subject name (DER)
    /// as the certificates name their issuer.
    #[n(3)]
    EndorsementCa,
}

/// One thing that is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// What.
    #[n(0)]
    pub kind: Kind,
    /// Which.
    #[n(1)]
    pub value: Digest,
    /// Why, in the owner's words; at most 200 bytes.
    #[n(2)]
    pub reason: String,
}

/// A list that the owner signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Revocations {
    #[n(0)]
    format: String,
    /// Its number; the next list has the next.
    #[n(1)]
    pub number: u64,
    /// When it was signed, milliseconds since 1970.
    #[n(2)]
    pub issued_ms: u64,
    /// The lowest release number that may still run; 0 for none.
    #[n(3)]
    pub floor: u64,
    /// What is revoked, ascending by kind and value.
    #[n(4)]
    pub entries: Vec<Entry>,
}

/// Why a list is not the owner's word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationsError {
    /// It cannot be read.
    #[error("the revocation list: {0}")]
    Format(#[from] CodecError),
    /// It is not signed by the owner.
    #[error("the revocation list: {0}")]
    Envelope(#[from] EnvelopeError),
}

impl RevocationsError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Format(error) => error.code(),
            Self::Envelope(_) => &code::REVOCATIONS_SIGNATURE,
        }
    }

    /// Whether it could not be read, rather than not be believed.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::Format(_))
    }
}

impl Revocations {
    /// A list of these entries, in any order; of several for one thing the first is kept.
    #[must_use]
    pub fn new(number: u64, issued_ms: u64, floor: u64, mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| (entry.kind, entry.value));
        entries.dedup_by_key(|entry| (entry.kind, entry.value));
        Self {
            format: FORMAT.to_owned(),
            number,
            issued_ms,
            floor,
            entries,
        }
    }

    /// The signed list.
    ///
    /// # Errors
    /// [`RevocationsError`] when a member is out of bounds.
    pub fn sign(&self, owner: &SigningKey) -> Result<Vec<u8>, RevocationsError> {
        self.check()?;
        let envelope = Envelope::seal(DOMAIN, codec::encode(self), owner);
        Ok(codec::encode(&envelope))
    }

    /// Reads a list that must be the word of `owner`.
    ///
    /// # Errors
    /// [`RevocationsError`]: malformed, of another key, or the signature does not hold.
    pub fn verify(bytes: &[u8], owner: &VerifyingKey) -> Result<Self, RevocationsError> {
        let envelope: Envelope = codec::decode_canonical(bytes, MAX_REVOCATIONS)?;
        let body = envelope.open(DOMAIN, owner)?;
        let list: Self = codec::decode_canonical(body, MAX_REVOCATIONS)?;
        list.check()?;
        Ok(list)
    }

    /// The entry of a thing that is revoked.
    #[must_use]
    pub fn find(&self, kind: Kind, value: &Digest) -> Option<&Entry> {
        let key = |entry: &Entry| (entry.kind, entry.value);
        let at = self.entries.binary_search_by_key(&(kind, *value), key);
        at.ok().and_then(|at| self.entries.get(at))
    }

    /// Whether anything of this kind is revoked.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.entries.iter().any(|entry| entry.kind == kind)
    }

    /// How old the list is, in milliseconds; 0 for one of the future.
    #[must_use]
    pub const fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.issued_ms)
    }

    fn check(&self) -> Result<(), CodecError> {
        codec::expect_format(&self.format, FORMAT)?;
        let keys: Vec<_> = self.entries.iter().map(|e| (e.kind, e.value)).collect();
        if !keys.is_sorted_by(|left, right| left < right) {
            return Err(CodecError::Member {
                member: "entries",
                reason: "not ascending, or one is there twice".to_owned(),
            });
        }
        for entry in &self.entries {
            codec::expect_at_most("reason", entry.reason.len(), MAX_REASON)?;
        }
        Ok(())
    }
}
