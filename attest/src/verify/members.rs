//! The evidence as a whole: which member was altered, and whether it answers our challenge.

use super::Case;
use crate::code;
use crate::digest::Digest;
use crate::messages::phrases;
use crate::tpm::attest::QuoteInfo;
use crate::verdict::{Check, Subject};

const SUBJECT: Subject = Subject::Members;

/// Names altered members. The security of the members is the quote's; this is the diagnosis.
pub(super) fn check(case: &Case<'_>) -> Vec<Check> {
    let computed = case.body.member_digests();
    if computed == case.body.digests {
        return vec![Check::pass(SUBJECT, phrases::members_hold())];
    }
    // When the members are those that were quoted, it is the list of digests that was altered.
    let quoted = case.evidence.quotes().first();
    let quoted = quoted.and_then(|quote| QuoteInfo::from_bytes(&quote.attest).ok());
    let original = case.body.clone().sealed().qualifying();
    let members_stand = quoted.is_some_and(|info| info.header.qualifying == original.as_bytes());
    if members_stand || case.body.digests.len() != computed.len() {
        return vec![Check::fail(SUBJECT, &code::MEMBER_DIGESTS)];
    }
    let digests = computed.iter().zip(&case.body.digests);
    let altered = code::MEMBER_CODES
        .into_iter()
        .zip(digests)
        .filter(|(_, (found, listed))| found != listed);
    let fail = |(code, (found, listed))| Check::fail(SUBJECT, code).sides(listed, found);
    altered.map(fail).collect()
}

/// Whether the evidence answers the challenge that was sent in, in time.
pub(super) fn check_challenge(case: &Case<'_>) -> Vec<Check> {
    const SUBJECT: Subject = Subject::Challenge;
    let Some(asked) = case.asked else {
        return vec![Check::weak(SUBJECT, &code::CHALLENGE_ABSENT)];
    };
    let mut checks = Vec::new();
    if case.body.challenge != asked.bytes {
        let found = match case.body.challenge.len() {
            0 => "no challenge".to_owned(),
            _ => Digest::of(&case.body.challenge).to_string(),
        };
        let check = Check::fail(SUBJECT, &code::CHALLENGE_OTHER);
        checks.push(check.sides(Digest::of(&asked.bytes), found));
    }
    let (challenge, now) = (&asked.challenge, case.inputs.now_ms);
    let out_of_time = |code| {
        let times = format!("{} to {} ms", challenge.created_ms, challenge.expires_ms);
        Check::fail(SUBJECT, code).sides(times, format!("now {now} ms"))
    };
    if now > challenge.expires_ms {
        checks.push(out_of_time(&code::CHALLENGE_EXPIRED));
    } else if now < challenge.created_ms {
        checks.push(out_of_time(&code::CHALLENGE_FUTURE));
    }
    if checks.is_empty() {
        checks.push(Check::pass(SUBJECT, phrases::challenge_answered()));
    }
    checks
}
