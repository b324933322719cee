//! Whole evidence: by a software TPM of a development stand, and altered in one thing each.

use ed25519_dalek::pkcs8::DecodePublicKey as _;

use super::{ACCEPTED, Case, Found};
use crate::evidence::{Body, Evidence, MAX_EVIDENCE, RawQuote};
use crate::verdict::Decision;
use crate::verify::{Inputs, verify};

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/vectors/swtpm-development/", $name))
    };
}

const GENUINE: &[u8] = vector!("evidence");
/// The moment that the evidence is judged at: within its challenge's time.
const NOW: u64 = 1_800_000_000_000;

/// What comes of an evidence: of several codes `wanted` when it is one of them, else the first.
fn judge(evidence: &[u8], wanted: &'static str) -> Found {
    let owner = ed25519_dalek::VerifyingKey::from_public_key_pem(include_str!(
        "../../tests/vectors/swtpm-development/owner.pub"
    ));
    let release = p256::ecdsa::VerifyingKey::from_public_key_pem(include_str!(
        "../../tests/vectors/swtpm-development/release.pub"
    ));
    let (Ok(owner), Ok(release)) = (owner, release) else {
        return "key.malformed";
    };
    let verdict = verify(&Inputs {
        evidence,
        enrolment: vector!("enrolment"),
        owner_key: &owner,
        release_key: &release,
        challenge: Some(vector!("challenge")),
        secret: Some(vector!("challenge.secret")),
        export: Some(vector!("audit")),
        now_ms: NOW,
        accept_development: true,
    });
    match verdict {
        Err(error) => error.code().id,
        Ok(verdict) if verdict.decision() == Decision::Pass => ACCEPTED,
        Ok(verdict) if verdict.failures().contains(&wanted) => wanted,
        Ok(verdict) => verdict.reason().unwrap_or("verdict.incomplete"),
    }
}

/// The genuine evidence with one thing changed in its body, its list of digests put right or not.
fn with(wanted: &'static str, put_right: bool, change: fn(&mut Body)) -> Found {
    let Ok(genuine) = Evidence::from_bytes(GENUINE) else {
        return "format.malformed";
    };
    let mut body = genuine.body().clone();
    change(&mut body);
    let body = if put_right { body.sealed() } else { body };
    judge(
        &Evidence::new(body, genuine.quotes().to_vec()).to_bytes(),
        wanted,
    )
}

fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
}

/// The genuine evidence's bytes with one replacement.
fn replaced(from: &[u8], to: &[u8], wanted: &'static str) -> Found {
    let at = GENUINE.windows(from.len()).position(|part| part == from);
    let Some((before, after)) = at.and_then(|at| GENUINE.split_at_checked(at)) else {
        return "not there";
    };
    let after = after.get(from.len()..).unwrap_or_default();
    judge(&[before, to, after].concat(), wanted)
}

macro_rules! cases {
    ($($name:literal => $expected:expr, $judge:expr;)*) => {
        pub(super) const CASES: &[Case] = &[$(Case {
            area: "evidence",
            name: $name,
            expected: $expected,
            judge: $judge,
        }),*];
    };
}

cases! {
    "genuine, of a development stand" => ACCEPTED, || judge(GENUINE, ACCEPTED);
    "the other spelling of its signature" => "quote.spelling", other_spelling;
    "a byte behind it" => "format.malformed",
        || judge(&[GENUINE, &[0]].concat(), "format.malformed");
    "cut in the middle" => "format.malformed",
        || judge(GENUINE.get(..GENUINE.len() / 2).unwrap_or_default(), "format.malformed");
    "an unknown version" => "format.unknown",
        || replaced(b"casemate.evidence.1", b"casemate.evidence.2", "format.unknown");
    "a member twice" => "format.malformed", member_twice;
    "two members in the other order" => "format.malformed", reordered;
    "a number in a longer spelling" => "format.malformed", longer_spelling;
    "a member larger than allowed" => "format.member",
        || with("format.member", true, |body| body.activation = vec![0; 65]);
    "larger than any evidence" => "format.too-large",
        || judge(&vec![0; MAX_EVIDENCE + 1], "format.too-large");
    "two quotes" => "quote.count", two_quotes;
    "no quote" => "quote.count", no_quote;
    "an edited firmware log" => "member.firmware_log",
        || with("member.firmware_log", false, |body| flip(&mut body.firmware_log, 100));
    "an edited log, its digest put right" => "quote.qualifying",
        || with("quote.qualifying", true, |body| flip(&mut body.firmware_log, 100));
    "another attestation key" => "ak.other",
        || with("ak.other", true, |body| flip(&mut body.ak_public, 60));
    "another endorsement key" => "ek.other",
        || with("ek.other", true, |body| flip(&mut body.ek_public, 60));
    "another challenge's answer" => "challenge.other",
        || with("challenge.other", true, |body| flip(&mut body.challenge, 60));
    "a credential that was not opened" => "activation.wrong",
        || with("activation.wrong", true, |body| flip(&mut body.activation, 0));
    "another release" => "release.signature",
        || with("release.signature", true, |body| {
            let last = body.release.len().saturating_sub(1);
            flip(&mut body.release, last);
        });
}

fn other_spelling() -> Found {
    let Ok(genuine) = Evidence::from_bytes(GENUINE) else {
        return "format.malformed";
    };
    let Some(quote) = genuine.quotes().first() else {
        return "quote.count";
    };
    let (head, size) = ([0x00, 0x18, 0x00, 0x0b], [0, 32]);
    let (r, s) = (quote.signature.get(6..38), quote.signature.get(40..72));
    let both = [r.unwrap_or_default(), s.unwrap_or_default()].concat();
    let Ok(low) = p256::ecdsa::Signature::from_slice(&both) else {
        return "quote.malformed";
    };
    let (r, s) = low.split_scalars();
    let Ok(high) = p256::ecdsa::Signature::from_scalars(r, -s) else {
        return "quote.malformed";
    };
    let (r, s) = high.split_bytes();
    let other = [&head[..], &size, &r, &size, &s].concat();
    let Some((before, after)) = split(GENUINE, &quote.signature) else {
        return "not there";
    };
    judge(&[before, &other, after].concat(), "quote.spelling")
}

/// What stands before and behind a part.
fn split<'b>(bytes: &'b [u8], part: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(part.len()).position(|found| found == part)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.get(part.len()..)?))
}

/// `[[format, challenge, ...], quotes]`: the format's name is there again.
fn member_twice() -> Found {
    let name = b"\x73casemate.evidence.1";
    let Some((before, after)) = split(GENUINE, name) else {
        return "not there";
    };
    judge(&[before, name, name, after].concat(), "format.malformed")
}

fn reordered() -> Found {
    let Ok(genuine) = Evidence::from_bytes(GENUINE) else {
        return "format.malformed";
    };
    let enrolment = [&[0x58, 0x20], &genuine.body().enrolment.as_bytes()[..]].concat();
    let name = b"\x73casemate.evidence.1";
    let Some((before, after)) = split(GENUINE, name) else {
        return "not there";
    };
    let Some((between, rest)) = split(after, &enrolment) else {
        return "not there";
    };
    judge(
        &[before, &enrolment, between, name, rest].concat(),
        "format.malformed",
    )
}

/// CBOR can write a length in more bytes than it takes; the format has one spelling.
fn longer_spelling() -> Found {
    replaced(
        b"\x73casemate.evidence.1",
        b"\x78\x13casemate.evidence.1",
        "format.malformed",
    )
}

fn quotes(change: fn(&[RawQuote]) -> Vec<RawQuote>) -> Found {
    let Ok(genuine) = Evidence::from_bytes(GENUINE) else {
        return "format.malformed";
    };
    let quotes = change(genuine.quotes());
    judge(
        &Evidence::new(genuine.body().clone(), quotes).to_bytes(),
        "quote.count",
    )
}

fn two_quotes() -> Found {
    quotes(|quotes| [quotes, quotes].concat())
}

fn no_quote() -> Found {
    quotes(|_| Vec::new())
}
