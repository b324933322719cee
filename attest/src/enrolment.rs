//! Enrolment: what an owner saw of an appliance once, and vouches for since.
//!
//! The appliance writes a request; the owner looks at it in a trusted moment and signs it. The
//! record is named by its EK and never changes: another TPM is another record.

use ed25519_dalek::{SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use crate::checkpoint::Origin;
use crate::code::{self, Code};
use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::endorsement;
use crate::envelope::{Domain, Envelope, EnvelopeError};
use crate::quote::AttestationKey;
use crate::tpm::public::Public;

/// The name and version of the request format.
pub const REQUEST_FORMAT: &str = "casemate.enrolment-request.1";
/// The name and version of the record format.
pub const FORMAT: &str = "casemate.enrolment.1";
/// The most bytes a request may have.
pub const MAX_REQUEST: usize = 32 * 1024;
/// The most bytes a signed record may have.
pub const MAX_ENROLMENT: usize = 64 * 1024;

const DOMAIN: Domain = Domain("casemate enrolment v1");

/// What stands behind the claim that a TPM is a TPM. Named in every verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Root {
    /// A software TPM of a development stand: nothing.
    #[n(0)]
    Development,
    /// A software TPM whose EK certificate chains to a CA of the hypervisor's host.
    #[n(1)]
    SwtpmCa,
    /// A TPM whose EK certificate chains to its vendor.
    #[n(2)]
    HardwareEk,
    /// Whatever the owner saw at enrolment, without a certificate.
    #[n(3)]
    FirstUse,
}

impl Root {
    /// What the root says of the TPM, in an error's text.
    const fn claim(self) -> &'static str {
        match self {
            Self::Development => "a development stand",
            Self::SwtpmCa => "a software TPM with a certificate",
            Self::HardwareEk => "a hardware TPM",
            Self::FirstUse => "trust on first use",
        }
    }
}

/// A PCR's value in the SHA-256 bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PcrValue {
    /// The register's index.
    #[n(0)]
    pub pcr: u8,
    /// Its value.
    #[n(1)]
    pub value: Digest,
}

/// What an appliance says of itself when it asks to be enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EnrolmentRequest {
    #[n(0)]
    format: String,
    /// The endorsement key, `TPM2B_PUBLIC`.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub ek_public: Vec<u8>,
    /// Its certificate, DER; empty when the TPM has none.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub ek_certificate: Vec<u8>,
    /// The attestation key, `TPM2B_PUBLIC`.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub ak_public: Vec<u8>,
    /// PCRs 0 to 7 at enrolment, in order.
    #[n(4)]
    pub pcrs: Vec<PcrValue>,
    /// SHA-256 of the firmware log at enrolment.
    #[n(5)]
    pub firmware_log: Digest,
    /// The Name of the NV index that holds the version floor (`TPM2B_NAME` without its size).
    #[cbor(n(6), with = "minicbor::bytes")]
    pub floor_name: Vec<u8>,
    /// The audit log's name.
    #[n(7)]
    pub audit_origin: String,
    /// The audit log's Ed25519 public key.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub audit_key: [u8; 32],
}

/// The members of a request, for making one.
#[derive(Debug, Clone)]
pub struct Appliance {
    /// The endorsement key, `TPM2B_PUBLIC`.
    pub ek_public: Vec<u8>,
    /// Its certificate, DER, or empty.
    pub ek_certificate: Vec<u8>,
    /// The attestation key, `TPM2B_PUBLIC`.
    pub ak_public: Vec<u8>,
    /// PCRs 0 to 7 of the SHA-256 bank.
    pub pcrs: [Digest; 8],
    /// SHA-256 of the firmware log.
    pub firmware_log: Digest,
    /// The Name of the version floor's NV index.
    pub floor_name: Vec<u8>,
    /// The audit log's name.
    pub audit_origin: Origin,
    /// The audit log's Ed25519 public key.
    pub audit_key: [u8; 32],
}

/// What the owner signs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Body {
    #[n(0)]
    format: String,
    #[n(1)]
    id: Digest,
    #[n(2)]
    root: Root,
    #[n(3)]
    label: String,
    #[n(4)]
    created_ms: u64,
    #[cbor(n(5), with = "minicbor::bytes")]
    request: Vec<u8>,
}

/// An enrolment that the trusted owner signed. Only [`Enrolment::verify`] makes one from bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    id: Digest,
    root: Root,
    label: String,
    created_ms: u64,
    request: EnrolmentRequest,
}

/// Why a record is not the owner's word.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnrolmentError {
    /// The bytes are no record or request.
    #[error("the enrolment record: {0}")]
    Format(#[from] CodecError),
    /// The owner's key did not sign it.
    #[error("the enrolment record: {0}")]
    Signature(#[from] EnvelopeError),
    /// A key of the request is not one that can be enrolled.
    #[error("the enrolment request: {0}")]
    Key(String, &'static Code),
    /// The record's name is not its EK's.
    #[error("the enrolment record is named {found}, its EK gives {expected}")]
    Name {
        /// From the EK.
        expected: Digest,
        /// In the record.
        found: Digest,
    },
    /// The record's root takes a certificate, and there is none.
    #[error("the enrolment record says {0} and holds no certificate")]
    Root(&'static str),
}

impl EnrolmentError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Format(_) => &code::ENROLMENT_MALFORMED,
            Self::Signature(_) => &code::ENROLMENT_SIGNATURE,
            Self::Key(_, code) => code,
            Self::Name { .. } => &code::ENROLMENT_NAME,
            Self::Root(_) => &code::ENROLMENT_ROOT,
        }
    }

    /// Whether the bytes could not be read, rather than not be believed.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::Format(_))
    }
}

/// An enrolment's name: the SHA-256 of the EK's `TPM2B_PUBLIC`.
#[must_use]
pub fn enrolment_id(ek_public: &[u8]) -> Digest {
    Digest::of(ek_public)
}

impl EnrolmentRequest {
    /// The request of an appliance.
    #[must_use]
    pub fn new(appliance: Appliance) -> Self {
        let pcrs = (0u8..)
            .zip(appliance.pcrs)
            .map(|(pcr, value)| PcrValue { pcr, value });
        Self {
            format: REQUEST_FORMAT.to_owned(),
            ek_public: appliance.ek_public,
            ek_certificate: appliance.ek_certificate,
            ak_public: appliance.ak_public,
            pcrs: pcrs.collect(),
            firmware_log: appliance.firmware_log,
            floor_name: appliance.floor_name,
            audit_origin: appliance.audit_origin.to_string(),
            audit_key: appliance.audit_key,
        }
    }

    /// The request file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a request file.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one canonical request of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let request: Self = codec::decode_canonical(bytes, MAX_REQUEST)?;
        codec::expect_format(&request.format, REQUEST_FORMAT)?;
        codec::expect_at_most("ek_public", request.ek_public.len(), 1024)?;
        codec::expect_at_most("ek_certificate", request.ek_certificate.len(), 8192)?;
        codec::expect_at_most("ak_public", request.ak_public.len(), 1024)?;
        codec::expect_at_most("floor_name", request.floor_name.len(), 66)?;
        if !request.pcrs.iter().map(|pcr| pcr.pcr).eq(0..8) {
            let reason = "not the registers 0 to 7 in order".to_owned();
            return Err(CodecError::Member {
                member: "pcrs",
                reason,
            });
        }
        if Origin::new(&request.audit_origin).is_none() {
            let reason = "not a log's name".to_owned();
            return Err(CodecError::Member {
                member: "audit_origin",
                reason,
            });
        }
        Ok(request)
    }

    /// Checks that its keys can do what an enrolment is for: the endorsement key is written as the
    /// TCG's template has it, so that one key has one name, and the attestation key attests.
    ///
    /// # Errors
    /// [`EnrolmentError::Key`] when a key cannot be read, is written otherwise or may not attest.
    pub fn check_keys(&self) -> Result<(), EnrolmentError> {
        let ek = Public::from_sized(&self.ek_public)
            .map_err(|error| EnrolmentError::Key(error.to_string(), &code::EK_MALFORMED))?;
        if endorsement::area(ek.key()).as_ref() != Some(&self.ek_public) {
            let what = code::EK_TEMPLATE.what.to_owned();
            return Err(EnrolmentError::Key(what, &code::EK_TEMPLATE));
        }
        AttestationKey::check(&self.ak_public, &ek)
            .map_err(|error| EnrolmentError::Key(error.to_string(), error.code()))?;
        Ok(())
    }

    /// The name that its enrolment will have.
    #[must_use]
    pub fn id(&self) -> Digest {
        enrolment_id(&self.ek_public)
    }
}

impl Enrolment {
    /// Signs a request as its owner.
    #[must_use]
    pub fn sign(
        request: &EnrolmentRequest,
        root: Root,
        label: &str,
        created_ms: u64,
        owner: &SigningKey,
    ) -> Vec<u8> {
        let body = Body {
            format: FORMAT.to_owned(),
            id: request.id(),
            root,
            label: label.to_owned(),
            created_ms,
            request: request.to_bytes(),
        };
        codec::encode(&Envelope::seal(DOMAIN, codec::encode(&body), owner))
    }

    /// Reads a record that must be the word of `owner`.
    ///
    /// # Errors
    /// [`EnrolmentError`]: malformed, not signed by the owner, or not named by its EK.
    pub fn verify(bytes: &[u8], owner: &VerifyingKey) -> Result<Self, EnrolmentError> {
        let envelope: Envelope = codec::decode_canonical(bytes, MAX_ENROLMENT)?;
        let body: Body = codec::decode_canonical(envelope.open(DOMAIN, owner)?, MAX_ENROLMENT)?;
        codec::expect_format(&body.format, FORMAT)?;
        codec::expect_at_most("label", body.label.len(), 128)?;
        let request = EnrolmentRequest::from_bytes(&body.request)?;
        if request.id() != body.id {
            return Err(EnrolmentError::Name {
                expected: request.id(),
                found: body.id,
            });
        }
        if body.root.is_certified() && request.ek_certificate.is_empty() {
            return Err(EnrolmentError::Root(body.root.claim()));
        }
        let Body {
            id,
            root,
            label,
            created_ms,
            ..
        } = body;
        Ok(Self {
            id,
            root,
            label,
            created_ms,
            request,
        })
    }

    /// The record's name.
    #[must_use]
    pub const fn id(&self) -> &Digest {
        &self.id
    }

    /// What stands behind the TPM, by the owner's word.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The owner's name for the appliance.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When the owner signed, milliseconds since 1970.
    #[must_use]
    pub const fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// What the appliance said of itself then.
    #[must_use]
    pub const fn request(&self) -> &EnrolmentRequest {
        &self.request
    }
}
