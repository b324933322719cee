//! The release manifest: what a release, booted rightly, leaves in the PCRs.
//!
//! A signed `CoRIM` (draft-ietf-rats-corim): deterministic CBOR under `COSE_Sign1` (RFC 9052) with
//! ES256; docs/formats/release.md has the mapping. A reference names every event that must be in a
//! register, in order; the register's value follows from them. Values that the platform owns are
//! compared with those of enrolment instead.

mod corim;

use coset::cbor::value::Value;
use coset::{
    CborSerializable, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable,
    iana,
};
use minicbor::{Decode, Encode};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

use crate::code::{self, Code};
use crate::codec::{self, CodecError};
use crate::digest::Digest;

/// The name and version of the format: the `CoRIM` profile, a tag URI (RFC 4151).
pub const PROFILE: &str = "tag:casemate.invalid,2026:release:2";
/// The most bytes a signed manifest may have.
pub const MAX_RELEASE: usize = 256 * 1024;
/// `CoRIM` signs without external data. The profile inside, and a content type and issuer that
/// nothing else of the key has, keep another `COSE_Sign1` from being a release.
const EXTERNAL: &[u8] = b"";

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedEvent {
    /// What it measures, for messages: `.linux`, `enter-initrd`.
    pub name: String,
    /// The TCG event type it must have in the log. The type is not authenticated; another one
    /// still is a log that does not describe this release.
    pub event_type: u32,
    /// The digests it may extend, at least one.
    pub digests: Vec<Digest>,
}

/// What one register must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The register.
    pub pcr: u8,
    /// The bank, a `TPM_ALG_ID`: 0x000b, SHA-256. The only one that a manifest speaks of.
    pub bank: u16,
    /// What it is compared with.
    pub rule: Rule,
    /// The events that must be there, in order. None for a register that must be untouched.
    pub events: Vec<ExpectedEvent>,
    /// Events of which any beginning may follow: later boot phases.
    pub tail: Vec<ExpectedEvent>,
}

/// What the firmware's log must show of the boot itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct BootRules {
    /// PCR 5 must end with `ExitBootServices` called and successful. False only where the log
    /// cannot have it.
    #[n(0)]
    pub exit_boot_services: bool,
    /// How many boot options may have come to nothing before ours, such as an empty drive. One
    /// that loaded an image is never allowed.
    #[n(1)]
    pub failed_attempts: u64,
}

/// A release and its reference values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The product's name.
    pub product: String,
    /// The version as people read it.
    pub version: String,
    /// The version as the floor counts it.
    pub number: u64,
    /// A development release: its key is in everyone's hands.
    pub development: bool,
    /// Which release key signs: SHA-256 of its uncompressed SEC1 point.
    pub key_id: Digest,
    /// When trust in the release ends, milliseconds since 1970; whole seconds.
    pub not_after_ms: u64,
    /// PCR 11 as of entering the initrd: what the sealed root is bound to. Always the value of
    /// PCR 11's reference.
    pub initrd_pcr11: Digest,
    /// One reference for each register of the policy, ascending.
    pub references: Vec<Reference>,
    /// The release key's ECDSA signature, r || s, over the policy that opens the sealed root:
    /// [`crate::sealing::authorization_hash`] of [`crate::sealing::release_approved`].
    pub pcr_policy_signature: [u8; 64],
    /// What the firmware's log must show of the boot.
    pub boot: BootRules,
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
    /// What the firmware's log must show of the boot.
    pub boot: BootRules,
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

/// What a signed manifest may be known by: an ECDSA signature has a second spelling (n - s) that everybody can make, and
/// what was revoked in one is revoked in both.
pub(crate) fn identities(manifest: &[u8]) -> Vec<Digest> {
    let mut identities = vec![Digest::of(manifest)];
    // The signature ends the envelope (RFC 9052, section 4.2).
    if let Some((before, signature)) = manifest.split_last_chunk::<64>()
        && let Ok(signature) = Signature::from_slice(signature)
        && let Ok(other) =
            Signature::from_scalars(signature.r().to_bytes(), (-*signature.s()).to_bytes())
    {
        identities.push(Digest::of_parts(&[before, &other.to_bytes()]));
    }
    identities
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
            product: parts.product,
            version: parts.version,
            number: parts.number,
            development: parts.development,
            key_id: key_id(key),
            // The format counts seconds; trust ends rather early than late.
            not_after_ms: parts.not_after_ms.saturating_sub(parts.not_after_ms % 1000),
            initrd_pcr11: parts.initrd_pcr11,
            references: parts.references,
            pcr_policy_signature: parts.pcr_policy_signature,
            boot: parts.boot,
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
            .protected(protected(&self.key_id))
            .payload(corim::encode(self))
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
        let named = key_named(&cose.protected.header)
            .ok_or_else(|| envelope("the header names no key by its id"))?;
        // One spelling only: the headers are fixed, and no byte of the envelope is free.
        let fixed = protected(&named)
            .to_vec()
            .map_err(|error| ReleaseError::Envelope(error.to_string()))?;
        if cose.protected.original_data.as_deref() != Some(&fixed[..])
            || !cose.unprotected.is_empty()
        {
            return Err(envelope("other headers than those of the format"));
        }
        if cose.clone().to_tagged_vec().ok().as_deref() != Some(bytes) {
            return Err(envelope("not the canonical encoding"));
        }
        let payload = cose
            .payload
            .as_deref()
            .ok_or_else(|| envelope("no payload"))?;
        let trusted = key_id(key);
        if named != trusted {
            return Err(ReleaseError::Key {
                expected: trusted,
                found: named,
            });
        }
        let unsigned = || ReleaseError::Signature { key: trusted };
        // The signature first: nothing of an unsigned manifest's payload is looked at.
        cose.verify_signature(EXTERNAL, |signature, message| {
            let signature = Signature::from_slice(signature).map_err(|_| unsigned())?;
            key.verify(message, &signature).map_err(|_| unsigned())
        })?;
        let release = corim::decode(payload, trusted)?;
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

/// The protected header: ES256, a `CoRIM`, the key, and the issuer as CWT claims (RFC 9597).
fn protected(key: &Digest) -> Header {
    const CWT_CLAIMS: i64 = 15;
    const ISSUER: i64 = 1;
    let issuer = Value::Text("casemate release".to_owned());
    HeaderBuilder::new()
        .algorithm(iana::Algorithm::ES256)
        .content_type("application/rim+cbor".to_owned())
        .key_id(key.as_bytes().to_vec())
        .value(CWT_CLAIMS, Value::Map(vec![(Value::from(ISSUER), issuer)]))
        .build()
}

fn key_named(header: &Header) -> Option<Digest> {
    Digest::from_slice(&header.key_id)
}
