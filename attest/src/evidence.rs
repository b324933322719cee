//! The evidence file: everything an auditor needs, in one file, all of it a claim until checked.
//!
//! `[body, quotes]`. The body's members have a fixed order; the quotes' qualifying data is the
//! SHA-256 of a domain and the body, so the TPM's signature covers every member. The member
//! `digests` repeats each other member's digest, so that an altered member is named.

use minicbor::{Decode, Decoder, Encode};

use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::enrolment::PcrValue;
use crate::leaf::TpmClock;
use crate::tpm::signature;

/// The name and version of the format.
pub const FORMAT: &str = "casemate.evidence.1";
/// The most bytes an evidence file may have.
pub const MAX_EVIDENCE: usize = 16 << 20;
/// The most bytes a firmware log may have.
pub const MAX_LOG: usize = 4 << 20;
/// The registers that a quote must cover, in the SHA-256 bank: no more, no less.
pub const POLICY_PCRS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 15];

const DOMAIN: &[u8] = b"casemate evidence v1\n";
const LOG_KEY_DOMAIN: &[u8] = b"casemate log key v1\n";

/// The members' names in order, as in docs/formats/evidence.md and in codes `member.<name>`.
pub const MEMBERS: [&str; 15] = [
    "format",
    "challenge",
    "enrolment",
    "ek_public",
    "ek_certificate",
    "ak_public",
    "activation",
    "release",
    "firmware_log",
    "runtime_log",
    "log_key",
    "audit",
    "artifacts",
    "clock",
    "statements",
];

/// An evidence file, read but not believed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Evidence {
    #[n(0)]
    body: Body,
    #[n(1)]
    quotes: Vec<RawQuote>,
}

/// Every member but the quotes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// Always [`FORMAT`].
    #[n(0)]
    pub format: String,
    /// The challenge file that this answers, byte for byte; empty when unasked for.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub challenge: Vec<u8>,
    /// The enrolment's name.
    #[n(2)]
    pub enrolment: Digest,
    /// The endorsement key, `TPM2B_PUBLIC`.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub ek_public: Vec<u8>,
    /// Its certificate, DER; empty when the TPM has none.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub ek_certificate: Vec<u8>,
    /// The attestation key, `TPM2B_PUBLIC`.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub ak_public: Vec<u8>,
    /// The secret out of the challenge's credential; empty when it has none.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub activation: Vec<u8>,
    /// The signed release manifest.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub release: Vec<u8>,
    /// The firmware's event log, TCG crypto-agile form.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub firmware_log: Vec<u8>,
    /// What was measured after the firmware, same form: boot phases, PCR 15.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub runtime_log: Vec<u8>,
    /// The TPM's log key.
    #[n(10)]
    pub log_key: LogKey,
    /// The head of the audit log.
    #[n(11)]
    pub audit: AuditHead,
    /// Signed artifact manifests.
    #[n(12)]
    pub artifacts: Vec<minicbor::bytes::ByteVec>,
    /// What the clocks said when this was made.
    #[n(13)]
    pub clock: Clock,
    /// What the appliance says of itself; nobody checks it.
    #[n(14)]
    pub statements: Vec<Statement>,
    /// The SHA-256 of the canonical encoding of each member before, in order.
    #[n(15)]
    pub digests: Vec<Digest>,
}

/// The TPM key that cosigns checkpoints, certified by the attestation key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LogKey {
    /// `TPM2B_PUBLIC`.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub public: Vec<u8>,
    /// `TPMS_ATTEST` of `TPM2_Certify`; its qualifying data is [`log_key_qualifying`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub attest: Vec<u8>,
    /// `TPMT_SIGNATURE` over it by the attestation key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// The head of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuditHead {
    /// The signed checkpoint note.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub note: Vec<u8>,
    /// The Ed25519 public key that signed it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// When the log key cosigned, milliseconds since 1970.
    #[n(2)]
    pub cosigned_ms: u64,
    /// `TPMT_SIGNATURE` of the log key over [`crate::checkpoint::cosigned_digest`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub cosignature: Vec<u8>,
}

/// What the clocks said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Clock {
    /// Wall clock, milliseconds since 1970.
    #[n(0)]
    pub wall_ms: u64,
    /// Milliseconds since this boot.
    #[n(1)]
    pub boot_ms: u64,
    /// `TPM2_ReadClock` just before the quote.
    #[n(2)]
    pub tpm: TpmClock,
}

/// Something the appliance says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Statement {
    /// What about: `host`, `kernel`, `tenant`.
    #[n(0)]
    pub name: String,
    /// What it says.
    #[n(1)]
    pub value: String,
}

/// A quote as it came, with the register values it is said to be over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RawQuote {
    /// `TPMS_ATTEST`.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub attest: Vec<u8>,
    /// `TPMT_SIGNATURE`.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// The values of the SHA-256 bank's registers, ascending.
    #[n(2)]
    pub pcrs: Vec<PcrValue>,
}

impl Body {
    /// Fills in [`Body::digests`] from the other members. Call it last.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digests = self.member_digests();
        self
    }

    /// What the quotes' qualifying data must be: SHA-256(domain || canonical body).
    #[must_use]
    pub fn qualifying(&self) -> Digest {
        Digest::of_parts(&[DOMAIN, &codec::encode(self)])
    }

    /// The digest of each member's canonical encoding, in the order of [`MEMBERS`].
    #[must_use]
    pub fn member_digests(&self) -> Vec<Digest> {
        fn of<T: Encode<()>>(value: &T) -> Digest {
            Digest::of(&codec::encode(value))
        }
        fn bytes(value: &[u8]) -> Digest {
            of(&<&minicbor::bytes::ByteSlice>::from(value))
        }
        vec![
            of(&self.format),
            bytes(&self.challenge),
            of(&self.enrolment),
            bytes(&self.ek_public),
            bytes(&self.ek_certificate),
            bytes(&self.ak_public),
            bytes(&self.activation),
            bytes(&self.release),
            bytes(&self.firmware_log),
            bytes(&self.runtime_log),
            of(&self.log_key),
            of(&self.audit),
            of(&self.artifacts),
            of(&self.clock),
            of(&self.statements),
        ]
    }
}

/// The qualifying data of the log key's certification: it binds the key to one enrolment.
#[must_use]
pub fn log_key_qualifying(enrolment: &Digest) -> Digest {
    Digest::of_parts(&[LOG_KEY_DOMAIN, enrolment.as_bytes()])
}

impl Evidence {
    /// Puts quotes over [`Body::qualifying`] beside the body. Signatures are brought into the
    /// one spelling that a verifier accepts ([`signature::normalised`]).
    #[must_use]
    pub fn new(body: Body, mut quotes: Vec<RawQuote>) -> Self {
        for quote in &mut quotes {
            quote.signature = signature::normalised(&quote.signature);
        }
        Self { body, quotes }
    }

    /// What the quotes vouch for.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The quotes.
    #[must_use]
    pub fn quotes(&self) -> &[RawQuote] {
        &self.quotes
    }

    /// The evidence file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads an evidence file: its form and its sizes, nothing of its truth.
    ///
    /// # Errors
    /// [`CodecError`] when it is not one canonical evidence of this version, or a member is
    /// longer than the format allows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        check_counts(bytes)?;
        let evidence: Self = codec::decode_canonical(bytes, MAX_EVIDENCE)?;
        codec::expect_format(&evidence.body.format, FORMAT)?;
        evidence.check_sizes()?;
        Ok(evidence)
    }

    /// The evidence's identity: the digest of what the quotes sign for. Never of a signature,
    /// which anyone can write differently (n - s).
    #[must_use]
    pub fn id(&self) -> Digest {
        self.body.qualifying()
    }

    fn check_sizes(&self) -> Result<(), CodecError> {
        let body = &self.body;
        let limits = [
            (
                "challenge",
                body.challenge.len(),
                crate::challenge::MAX_CHALLENGE,
            ),
            ("ek_public", body.ek_public.len(), 1024),
            ("ek_certificate", body.ek_certificate.len(), 8192),
            ("ak_public", body.ak_public.len(), 1024),
            ("activation", body.activation.len(), 64),
            ("release", body.release.len(), crate::release::MAX_RELEASE),
            ("firmware_log", body.firmware_log.len(), MAX_LOG),
            ("runtime_log", body.runtime_log.len(), MAX_LOG),
            ("log_key", body.log_key.public.len(), 1024),
            ("log_key", body.log_key.attest.len(), 1024),
            ("log_key", body.log_key.signature.len(), 1024),
            ("audit", body.audit.note.len(), crate::checkpoint::MAX_NOTE),
            ("audit", body.audit.cosignature.len(), 1024),
        ];
        for (member, len, max) in limits {
            codec::expect_at_most(member, len, max)?;
        }
        for manifest in &body.artifacts {
            codec::expect_at_most("artifacts", manifest.len(), crate::artifacts::MAX_MANIFEST)?;
        }
        for statement in &body.statements {
            codec::expect_at_most("statements", statement.name.len(), 64)?;
            codec::expect_at_most("statements", statement.value.len(), 1024)?;
        }
        for quote in &self.quotes {
            codec::expect_at_most("quotes", quote.attest.len(), 1024)?;
            codec::expect_at_most("quotes", quote.signature.len(), 1024)?;
        }
        Ok(())
    }
}

/// How many elements each list of an evidence has, before any is decoded: an element of one byte
/// would take twenty-four in memory.
fn check_counts(bytes: &[u8]) -> Result<(), CodecError> {
    if bytes.len() > MAX_EVIDENCE {
        return Err(CodecError::TooLarge {
            size: bytes.len(),
            max: MAX_EVIDENCE,
        });
    }
    let mut lists = Lists {
        decoder: Decoder::new(bytes),
        over: Ok(()),
    };
    lists.exactly(2)?;
    lists.exactly(MEMBERS.len().saturating_add(1))?;
    lists.skip(12)?;
    lists.elements("artifacts", 64)?;
    lists.skip(1)?;
    lists.elements("statements", 64)?;
    lists.elements("digests", MEMBERS.len())?;
    for _ in 0..lists.at_most("quotes", 4)? {
        lists.exactly(3)?;
        lists.skip(2)?;
        lists.elements("quotes", 24)?;
    }
    // Only of an encoding whose lists are where they belong.
    lists.over
}

/// The lists of an encoding, without their elements.
struct Lists<'b> {
    decoder: Decoder<'b>,
    /// The first list that has too many.
    over: Result<(), CodecError>,
}

impl Lists<'_> {
    /// The number of the next list's elements.
    fn count(&mut self) -> Result<usize, CodecError> {
        let offset = self.decoder.position();
        let malformed = |reason: String| CodecError::Malformed { offset, reason };
        let count = self
            .decoder
            .array()
            .map_err(|error| malformed(error.to_string()))?;
        let count = count.ok_or_else(|| malformed("a list without a length".to_owned()))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn exactly(&mut self, wanted: usize) -> Result<(), CodecError> {
        let offset = self.decoder.position();
        let count = self.count()?;
        if count == wanted {
            return Ok(());
        }
        let reason = format!("a list of {count}, {wanted} are wanted");
        Err(CodecError::Malformed { offset, reason })
    }

    fn at_most(&mut self, member: &'static str, max: usize) -> Result<usize, CodecError> {
        let count = self.count()?;
        if self.over.is_ok() {
            self.over = codec::expect_at_most(member, count, max);
        }
        Ok(count)
    }

    /// A list of at most `max`, passed over.
    fn elements(&mut self, member: &'static str, max: usize) -> Result<(), CodecError> {
        let count = self.at_most(member, max)?;
        self.skip(count)
    }

    fn skip(&mut self, count: usize) -> Result<(), CodecError> {
        for _ in 0..count {
            let offset = self.decoder.position();
            self.decoder.skip().map_err(|error| CodecError::Malformed {
                offset,
                reason: error.to_string(),
            })?;
        }
        Ok(())
    }
}
