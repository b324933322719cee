//! The evidence as a whole: which member was altered, and whether it answers our challenge.

use super::Case;
use crate::code;
use crate::digest::Digest;
use crate::evidence::MEMBERS;
use crate::tpm::attest::QuoteInfo;
use crate::verdict::{Check, Outcome};

const SUBJECT: &str = "members";

/// Names altered members. The security of the members is the quote's; this is the diagnosis.
pub(super) fn check(case: &Case<'_>) -> Vec<Check> {
    let computed = case.body.member_digests();
    if computed == case.body.digests {
        return vec![Check::pass(SUBJECT, "no member differs from its digest")];
    }
    // When the members are those that were quoted, it is the list of digests that was altered.
    let quoted = case.evidence.quotes().first();
    let quoted = quoted.and_then(|quote| QuoteInfo::from_bytes(&quote.attest).ok());
    let original = case.body.clone().sealed().qualifying();
    let members_stand = quoted.is_some_and(|info| info.header.qualifying == original.as_bytes());
    if members_stand || case.body.digests.len() != computed.len() {
        let plain = "the members' digests were altered, the members were not";
        return vec![Check::fail(SUBJECT, &code::MEMBER_DIGESTS, plain)];
    }
    let members = MEMBERS.iter().zip(code::MEMBER_CODES);
    let digests = computed.iter().zip(&case.body.digests);
    let altered = members
        .zip(digests)
        .filter(|(_, (found, listed))| found != listed);
    let fail = |((name, code), (found, listed)): ((&&str, _), (&Digest, &Digest))| {
        Check::fail(SUBJECT, code, format!("member {name} was altered"))
            .sides(listed.to_string(), found.to_string())
    };
    altered.map(fail).collect()
}

/// Whether the evidence answers the challenge that was sent in, in time.
pub(super) fn check_challenge(case: &Case<'_>) -> Vec<Check> {
    const SUBJECT: &str = "challenge";
    let Some(asked) = &case.asked else {
        let plain = "no challenge was given, so the evidence may be an old one";
        return vec![Check::other(
            SUBJECT,
            Outcome::Weak,
            &code::CHALLENGE_ABSENT,
            plain,
        )];
    };
    let mut checks = Vec::new();
    if case.body.challenge != asked.bytes {
        let expected = Digest::of(&asked.bytes);
        let found = match case.body.challenge.len() {
            0 => "no challenge".to_owned(),
            _ => Digest::of(&case.body.challenge).to_string(),
        };
        let plain = "the evidence answers another challenge";
        let check = Check::fail(SUBJECT, &code::CHALLENGE_OTHER, plain);
        checks.push(check.sides(expected.to_string(), found));
    }
    let (challenge, now) = (&asked.challenge, case.inputs.now_ms);
    let times = format!("{} to {} ms", challenge.created_ms, challenge.expires_ms);
    if now > challenge.expires_ms {
        let check = Check::fail(
            SUBJECT,
            &code::CHALLENGE_EXPIRED,
            "the challenge has expired",
        );
        checks.push(check.sides(times, format!("now {now} ms")));
    } else if now < challenge.created_ms {
        let plain = "the challenge was made later than now: the verifier's clock went back";
        let check = Check::fail(SUBJECT, &code::CHALLENGE_FUTURE, plain);
        checks.push(check.sides(times, format!("now {now} ms")));
    }
    if checks.is_empty() {
        checks.push(Check::pass(
            SUBJECT,
            "the evidence answers this challenge, in time",
        ));
    }
    checks
}
