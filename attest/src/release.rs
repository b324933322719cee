//! The release manifest: what a release, booted rightly, leaves in the PCRs.
//!
//! Deterministic CBOR under `COSE_Sign1` (RFC 9052) with ES256. A reference names every event
//! that must be in a register, in order; the register's value follows from them. Values that the
//! platform owns are compared with those of enrolment instead.

use coset::{
    CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana,
};
use minicbor::{Decode, Encode};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

use crate::code::{self, Code};
use crate::codec::{self, CodecError};
use crate::digest::Digest;

/// The name and version of the format.
pub const FORMAT: &str = "casemate.release.1";
/// The most bytes a signed manifest may have.
pub const MAX_RELEASE: usize = 256 * 1024;
/// The external data of the signature, so that no other `COSE_Sign1` of the key is a release.
const EXTERNAL: &[u8] = b"casemate release manifest v1";

/// What a register is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Rule {
    /// Exactly [`Reference::events`], then any beginning of [`Reference::tail`].
    #[n(0)]
    Events,
    /// The value seen at enrolment: the platform's vendor owns the register.
    #[n(1)]
    Enrolled,
}

/// One event that a register must have seen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ExpectedEvent {
    /// What it measures, for messages: `.linux`, `enter-initrd`.
    #[n(0)]
    pub name: String,
    /// The TCG event type it must have in the log. The type is not authenticated; another one
    /// still is a log that does not describe this release.
    #[n(1)]
    pub event_type: u32,
    /// The digests it may extend, at least one.
    #[n(2)]
    pub digests: Vec<Digest>,
}

/// What one register must hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Reference {
    /// The register.
    #[n(0)]
    pub pcr: u8,
    /// The bank, a `TPM_ALG_ID`: 0x000b, SHA-256.
    #[n(1)]
    pub bank: u16,
    /// What it is compared with.
    #[n(2)]
    pub rule: Rule,
    /// The events that must be there, in order. None for a register that must be untouched.
    #[n(3)]
    pub events: Vec<ExpectedEvent>,
    /// Events of which any beginning may follow: later boot phases.
    #[n(4)]
    pub tail: Vec<ExpectedEvent>,
}

/// A release and its reference values.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Release {
    #[n(0)]
    format: String,
    /// The product's name.
    #[n(1)]
    pub product: String,
    /// The version as people read it.
    #[n(2)]
    pub version: String,
    /// The version as the floor counts it.
    #[n(3)]
    pub number: u64,
    /// A development release: its key is in everyone's hands.
    #[n(4)]
    pub development: bool,
    /// Which release key signs: SHA-256 of its uncompressed SEC1 point.
    #[n(5)]
    pub key_id: Digest,
    /// When trust in the release ends, milliseconds since 1970.
    #[n(6)]
    pub not_after_ms: u64,
    /// PCR 11 as of entering the initrd: what the sealed root is bound to.
    #[n(7)]
    pub initrd_pcr11: Digest,
    /// One reference for each register of the policy, ascending.
    #[n(8)]
    pub references: Vec<Reference>,
    /// The release key's ECDSA signature, r || s, over the policy that opens the sealed root:
    /// [`crate::sealing::authorization_hash`] of [`crate::sealing::release_approved`].
    #[cbor(n(9), with = "minicbor::bytes")]
    pub pcr_policy_signature: [u8; 64],
}

/// The members of a manifest, for making one.
#[derive(Debug, Clone)]
pub struct ReleaseParts {
    /// The product's name.
    pub product: String,
    /// The version as people read it.
    pub version: String,
    /// The version as the floor counts it.
    pub number: u64,
    /// A development release.
    pub development: bool,
    /// When trust in the release ends.
    pub not_after_ms: u64,
    /// PCR 11 as of entering the initrd.
    pub initrd_pcr11: Digest,
    /// One reference for each register of the policy, ascending.
    pub references: Vec<Reference>,
    /// As [`Release::pcr_policy_signature`].
    pub pcr_policy_signature: [u8; 64],
}

/// Why a manifest is not the release key's word.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReleaseError {
    /// The envelope is no `COSE_Sign1` as the format asks for.
    #[error("the release manifest's envelope: {0}")]
    Envelope(String),
    /// The payload is no manifest.
    #[error("the release manifest: {0}")]
    Format(#[from] CodecError),
    /// Another key is named.
    #[error("the release manifest names key {found}, expected {expected}")]
    Key {
        /// The trusted key's id.
        expected: Digest,
        /// The one named.
        found: Digest,
    },
    /// The signature does not hold.
    #[error("the release manifest's signature does not hold for key {key}")]
    Signature {
        /// The trusted key's id.
        key: Digest,
    },
}

impl ReleaseError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Envelope(_) | Self::Format(_) => &code::RELEASE_MALFORMED,
            Self::Key { .. } => &code::RELEASE_KEY,
            Self::Signature { .. } => &code::RELEASE_SIGNATURE,
        }
    }
}

/// A release key's id: SHA-256 of its uncompressed SEC1 point (65 bytes).
#[must_use]
pub fn key_id(key: &VerifyingKey) -> Digest {
    Digest::of(key.to_encoded_point(false).as_bytes())
}

impl Reference {
    /// The value that the register has after [`Reference::events`], each with its first digest.
    #[must_use]
    pub fn value(&self) -> Digest {
        self.events
            .iter()
            .filter_map(|event| event.digests.first())
            .fold(Digest::ZERO, |pcr, digest| {
                Digest::of_parts(&[pcr.as_bytes(), digest.as_bytes()])
            })
    }
}

impl Release {
    /// The manifest to be signed by `key`.
    #[must_use]
    pub fn new(parts: ReleaseParts, key: &VerifyingKey) -> Self {
        Self {
            format: FORMAT.to_owned(),
            product: parts.product,
            version: parts.version,
            number: parts.number,
            development: parts.development,
            key_id: key_id(key),
            not_after_ms: parts.not_after_ms,
            initrd_pcr11: parts.initrd_pcr11,
            references: parts.references,
            pcr_policy_signature: parts.pcr_policy_signature,
        }
    }

    /// The signed manifest.
    ///
    /// # Errors
    /// [`ReleaseError`] when a member is out of bounds, or `key` is not the one named.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, ReleaseError> {
        self.check()?;
        let expected = key_id(key.verifying_key());
        if expected != self.key_id {
            return Err(ReleaseError::Key {
                expected,
                found: self.key_id,
            });
        }
        CoseSign1Builder::new()
            .protected(protected())
            .payload(codec::encode(self))
            .create_signature(EXTERNAL, |message| {
                let signature: Signature = key.sign(message);
                signature.to_vec()
            })
            .build()
            .to_tagged_vec()
            .map_err(|error| ReleaseError::Envelope(error.to_string()))
    }

    /// Reads a signed manifest that must be the word of `key`.
    ///
    /// # Errors
    /// [`ReleaseError`]: malformed, another key, or the signature does not hold.
    pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Self, ReleaseError> {
        let envelope = |reason: &str| ReleaseError::Envelope(reason.to_owned());
        if bytes.len() > MAX_RELEASE {
            return Err(envelope("too large"));
        }
        let cose = CoseSign1::from_tagged_slice(bytes)
            .map_err(|error| ReleaseError::Envelope(error.to_string()))?;
        // One spelling only: the headers are fixed, and no byte of the envelope is free.
        let fixed = protected()
            .to_vec()
            .map_err(|error| ReleaseError::Envelope(error.to_string()))?;
        if cose.protected.original_data.as_deref() != Some(&fixed[..])
            || !cose.unprotected.is_empty()
        {
            return Err(envelope("other headers than ES256 and the content type"));
        }
        if cose.clone().to_tagged_vec().ok().as_deref() != Some(bytes) {
            return Err(envelope("not the canonical encoding"));
        }
        let payload = cose
            .payload
            .as_deref()
            .ok_or_else(|| envelope("no payload"))?;
        let trusted = key_id(key);
        let unsigned = || ReleaseError::Signature { key: trusted };
        // The signature first: nothing of an unsigned manifest is looked at.
        cose.verify_signature(EXTERNAL, |signature, message| {
            let signature = Signature::from_slice(signature).map_err(|_| unsigned())?;
            key.verify(message, &signature).map_err(|_| unsigned())
        })?;
        let release: Self = codec::decode_canonical(payload, MAX_RELEASE)?;
        if release.key_id != trusted {
            return Err(ReleaseError::Key {
                expected: trusted,
                found: release.key_id,
            });
        }
        release.check()?;
        Ok(release)
    }

    /// The reference of a register.
    #[must_use]
    pub fn reference(&self, pcr: u8) -> Option<&Reference> {
        self.references
            .iter()
            .find(|reference| reference.pcr == pcr)
    }

    fn check(&self) -> Result<(), CodecError> {
        let wrong = |member, reason: &str| {
            Err(CodecError::Member {
                member,
                reason: reason.to_owned(),
            })
        };
        codec::expect_format(&self.format, FORMAT)?;
        codec::expect_at_most("product", self.product.len(), 64)?;
        codec::expect_at_most("version", self.version.len(), 64)?;
        if !self
            .references
            .iter()
            .map(|reference| reference.pcr)
            .eq(code_pcrs())
        {
            return wrong("references", "not the policy's registers in order");
        }
        for reference in &self.references {
            let events = reference.events.iter().chain(&reference.tail);
            if reference.bank != crate::tpm::ALG_SHA256 {
                return wrong("references", "a bank other than SHA-256");
            }
            if events.clone().any(|event| event.digests.is_empty()) {
                return wrong("references", "an event without a digest");
            }
            if reference.rule == Rule::Enrolled && events.count() > 0 {
                return wrong("references", "events of a register that the platform owns");
            }
        }
        match self.reference(11) {
            Some(initrd) if initrd.value() == self.initrd_pcr11 => Ok(()),
            _ => wrong("initrd_pcr11", "not the value that PCR 11's events give"),
        }
    }
}

fn code_pcrs() -> impl Iterator<Item = u8> {
    crate::evidence::POLICY_PCRS.iter().copied()
}

fn protected() -> coset::Header {
    HeaderBuilder::new()
        .algorithm(iana::Algorithm::ES256)
        .content_type("application/vnd.casemate.release+cbor".to_owned())
        .build()
}
