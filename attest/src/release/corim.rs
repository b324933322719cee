//! The manifest's payload as a `CoRIM` (draft-ietf-rats-corim): one `CoMID`, one reference triple.
//!
//! The types here are the wire's, member by member; docs/formats/release.md has their CDDL.
//! Derived maps are written in the bytewise order of their keys, which is the deterministic
//! encoding's (RFC 8949, section 4.2.1).

use minicbor::data::{Tag, Tagged};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::{BootRules, ExpectedEvent, MAX_RELEASE, PROFILE, Reference, Release, Rule};
use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::tpm::ALG_SHA256;

const VENDOR: &str = "casemate";
/// The `mkey` of the measurement that describes the release itself.
const SELF: &str = "release";
/// SHA-256 in IANA's registry of named information hash algorithms.
const SHA_256: u64 = 1;

type Corim = Tagged<501, CorimMap>;

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct CorimMap {
    #[n(0)]
    id: String,
    #[n(1)]
    tags: [ComidTag; 1],
    #[n(3)]
    profile: Uri,
    #[n(4)]
    validity: Validity,
}

type Uri = Tagged<32, String>;

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Validity {
    #[n(1)]
    not_after: Seconds,
}

type Seconds = Tagged<1, u64>;

/// `#6.506(bstr .cbor concise-mid-tag)`.
#[derive(Debug, PartialEq)]
struct ComidTag(Comid);

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Comid {
    #[n(1)]
    identity: Identity,
    #[n(4)]
    triples: Triples,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Identity {
    #[n(0)]
    id: String,
    #[n(1)]
    version: u64,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Triples {
    #[n(0)]
    reference: [Triple; 1],
}

#[derive(Debug, PartialEq, Encode, Decode)]
struct Triple {
    #[n(0)]
    environment: Environment,
    #[n(1)]
    claims: Claims,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Environment {
    #[n(0)]
    class: Class,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Class {
    #[n(1)]
    vendor: String,
    #[n(2)]
    model: String,
}

/// `[ + measurement-map ]`: the release itself, then one measurement a register.
#[derive(Debug, PartialEq)]
struct Claims {
    release: Own,
    registers: Vec<Register>,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Own {
    #[n(0)]
    key: String,
    #[n(1)]
    values: OwnValues,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct OwnValues {
    #[n(0)]
    version: Version,
    #[n(1)]
    svn: Svn,
    #[n(-1)]
    development: bool,
    #[cbor(n(-2), with = "minicbor::bytes")]
    pcr_policy_signature: [u8; 64],
    #[n(-3)]
    boot: BootRules,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Version {
    #[n(0)]
    text: String,
}

type Svn = Tagged<552, u64>;

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Register {
    #[n(0)]
    pcr: u8,
    #[n(1)]
    values: RegisterValues,
}

#[derive(Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
struct RegisterValues {
    #[n(14)]
    value: Option<IntegrityRegister>,
    #[n(-1)]
    rule: Rule,
    #[n(-2)]
    events: Vec<Event>,
    #[n(-3)]
    tail: Vec<Event>,
}

/// `integrity-registers` with one register and one digest.
#[derive(Debug, PartialEq)]
struct IntegrityRegister {
    pcr: u8,
    value: NamedDigest,
}

#[derive(Debug, PartialEq, Encode, Decode)]
struct Event {
    #[n(0)]
    name: String,
    #[n(1)]
    event_type: u32,
    #[n(2)]
    digests: Vec<NamedDigest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
struct NamedDigest {
    #[n(0)]
    algorithm: u64,
    #[n(1)]
    digest: Digest,
}

/// The payload of a release.
pub(super) fn encode(release: &Release) -> Vec<u8> {
    codec::encode(&shaped(release))
}

/// The release of a payload, which must be the one encoding of it. The caller checks its rules.
pub(super) fn decode(payload: &[u8], key_id: Digest) -> Result<Release, CodecError> {
    let corim: Corim = codec::decode_canonical(payload, MAX_RELEASE)?;
    codec::expect_format(corim.profile.value(), PROFILE)?;
    let release = released(&corim, key_id)?;
    // Names, versions and values stand more than once: one manifest, one encoding.
    if shaped(&release) != corim {
        return Err(CodecError::Member {
            member: "payload",
            reason: "its parts do not agree with each other".to_owned(),
        });
    }
    Ok(release)
}

fn shaped(release: &Release) -> Corim {
    let own = Own {
        key: SELF.to_owned(),
        values: OwnValues {
            version: Version {
                text: release.version.clone(),
            },
            svn: Svn::new(release.number),
            development: release.development,
            pcr_policy_signature: release.pcr_policy_signature,
            boot: release.boot,
        },
    };
    let triple = Triple {
        environment: Environment {
            class: Class {
                vendor: VENDOR.to_owned(),
                model: release.product.clone(),
            },
        },
        claims: Claims {
            release: own,
            registers: release.references.iter().map(register).collect(),
        },
    };
    Corim::new(CorimMap {
        id: format!("{} {}", release.product, release.version),
        tags: [ComidTag(Comid {
            identity: Identity {
                id: release.product.clone(),
                version: release.number,
            },
            triples: Triples {
                reference: [triple],
            },
        })],
        profile: Uri::new(PROFILE.to_owned()),
        validity: Validity {
            not_after: Seconds::new(release.not_after_ms / 1000),
        },
    })
}

fn released(corim: &CorimMap, key_id: Digest) -> Result<Release, CodecError> {
    let [ComidTag(comid)] = &corim.tags;
    let [
        Triple {
            environment,
            claims,
        },
    ] = &comid.triples.reference;
    let own = &claims.release.values;
    let references: Vec<Reference> = claims
        .registers
        .iter()
        .map(referenced)
        .collect::<Result<_, _>>()?;
    let initrd = references.iter().find(|reference| reference.pcr == 11);
    Ok(Release {
        product: environment.class.model.clone(),
        version: own.version.text.clone(),
        number: *own.svn.value(),
        development: own.development,
        key_id,
        not_after_ms: corim.validity.not_after.value().saturating_mul(1000),
        initrd_pcr11: initrd.map_or(Digest::ZERO, Reference::value),
        references,
        pcr_policy_signature: own.pcr_policy_signature,
        boot: own.boot,
    })
}

fn register(reference: &Reference) -> Register {
    let value = (reference.rule == Rule::Events).then(|| IntegrityRegister {
        pcr: reference.pcr,
        value: named(reference.value()),
    });
    let events = |events: &[ExpectedEvent]| events.iter().map(event).collect();
    Register {
        pcr: reference.pcr,
        values: RegisterValues {
            value,
            rule: reference.rule,
            events: events(&reference.events),
            tail: events(&reference.tail),
        },
    }
}

fn referenced(register: &Register) -> Result<Reference, CodecError> {
    let values = &register.values;
    let events = |events: &[Event]| events.iter().map(expected).collect::<Result<_, _>>();
    Ok(Reference {
        pcr: register.pcr,
        bank: ALG_SHA256,
        rule: values.rule,
        events: events(&values.events)?,
        tail: events(&values.tail)?,
    })
}

fn event(event: &ExpectedEvent) -> Event {
    Event {
        name: event.name.clone(),
        event_type: event.event_type,
        digests: event.digests.iter().copied().map(named).collect(),
    }
}

fn expected(event: &Event) -> Result<ExpectedEvent, CodecError> {
    if event
        .digests
        .iter()
        .any(|digest| digest.algorithm != SHA_256)
    {
        return Err(CodecError::Member {
            member: "events",
            reason: "a digest of another algorithm than SHA-256".to_owned(),
        });
    }
    Ok(ExpectedEvent {
        name: event.name.clone(),
        event_type: event.event_type,
        digests: event.digests.iter().map(|digest| digest.digest).collect(),
    })
}

const fn named(digest: Digest) -> NamedDigest {
    NamedDigest {
        algorithm: SHA_256,
        digest,
    }
}

impl<C> Encode<C> for ComidTag {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.tag(Tag::new(506))?.bytes(&codec::encode(&self.0))?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ComidTag {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.tag()? != Tag::new(506) {
            return Err(DecodeError::message("a CoMID is tagged 506").at(at));
        }
        codec::decode_canonical(d.bytes()?, MAX_RELEASE)
            .map(Self)
            .map_err(|error| DecodeError::message(error.to_string()).at(at))
    }
}

impl<C> Encode<C> for Claims {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let count = self.registers.len().saturating_add(1);
        e.array(u64::try_from(count).unwrap_or(u64::MAX))?
            .encode_with(&self.release, ctx)?;
        for register in &self.registers {
            e.encode_with(register, ctx)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Claims {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let Some(count @ 1..) = d.array()? else {
            return Err(DecodeError::message("claims are an array of known length").at(at));
        };
        let release = d.decode_with(ctx)?;
        let mut registers = Vec::new();
        for _ in 1..count {
            registers.push(d.decode_with(ctx)?);
        }
        Ok(Self { release, registers })
    }
}

impl<C> Encode<C> for IntegrityRegister {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.map(1)?.u8(self.pcr)?.array(1)?;
        e.encode_with(self.value, ctx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for IntegrityRegister {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let (map, pcr, array) = (d.map()?, d.u8()?, d.array()?);
        if (map, array) != (Some(1), Some(1)) {
            return Err(DecodeError::message("one register and one digest").at(at));
        }
        let value = d.decode_with(ctx)?;
        Ok(Self { pcr, value })
    }
}
