//! Which TPM this is: enrolment, endorsement key, attestation key, activation.

use super::Case;
use crate::code;
use crate::digest::Digest;
use crate::quote::AttestationKey;
use crate::tpm::public::Public;
use crate::verdict::{Check, Outcome};

/// Checks identity. Gives the attestation key of the enrolment when it may attest, whatever the
/// evidence says: quotes are checked with that one and no other.
pub(super) fn check(case: &Case<'_>, checks: &mut Vec<Check>) -> Option<AttestationKey> {
    checks.push(check_enrolment(case));
    let endorsement = check_endorsement(case, checks);
    let key = check_attestation(case, endorsement.as_ref(), checks);
    checks.push(check_activation(case));
    key
}

fn check_enrolment(case: &Case<'_>) -> Check {
    const SUBJECT: &str = "enrolment";
    let (expected, found) = (case.enrolment.id(), &case.body.enrolment);
    if expected != found {
        let plain = "the evidence names another enrolment";
        let check = Check::fail(SUBJECT, &code::ENROLMENT_OTHER, plain);
        return check.sides(expected.to_string(), found.to_string());
    }
    Check::pass(
        SUBJECT,
        "the evidence is of the appliance that the owner enrolled",
    )
}

fn check_endorsement(case: &Case<'_>, checks: &mut Vec<Check>) -> Option<Public> {
    const SUBJECT: &str = "endorsement key";
    let before = checks.len();
    let enrolled = case.enrolment.request();
    if case.body.ek_public != enrolled.ek_public {
        let check = Check::fail(
            SUBJECT,
            &code::EK_OTHER,
            "another endorsement key than enrolled",
        );
        checks.push(sides_of(check, &enrolled.ek_public, &case.body.ek_public));
    }
    if case.body.ek_certificate != enrolled.ek_certificate {
        let plain = "another endorsement certificate than enrolled";
        let check = Check::fail(SUBJECT, &code::EK_CERTIFICATE, plain);
        checks.push(sides_of(
            check,
            &enrolled.ek_certificate,
            &case.body.ek_certificate,
        ));
    }
    let public = Public::from_sized(&enrolled.ek_public);
    if let Err(error) = &public {
        let plain = format!("the endorsement key cannot be read {error}");
        checks.push(Check::fail(SUBJECT, &code::EK_MALFORMED, plain));
    }
    if checks.len() == before {
        checks.push(Check::pass(
            SUBJECT,
            "the enrolled endorsement key and certificate",
        ));
    }
    public.ok()
}

fn check_attestation(
    case: &Case<'_>,
    endorsement: Option<&Public>,
    checks: &mut Vec<Check>,
) -> Option<AttestationKey> {
    const SUBJECT: &str = "attestation key";
    let before = checks.len();
    let enrolled = &case.enrolment.request().ak_public;
    if case.body.ak_public != *enrolled {
        let check = Check::fail(
            SUBJECT,
            &code::AK_OTHER,
            "another attestation key than enrolled",
        );
        checks.push(sides_of(check, enrolled, &case.body.ak_public));
    }
    let key = match endorsement.map(|ek| AttestationKey::check(enrolled, ek)) {
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            checks.push(Check::fail(SUBJECT, error.code(), error.to_string()));
            None
        }
        None => {
            let plain = "the endorsement key above it cannot be read";
            let check = Check::other(SUBJECT, Outcome::Unjudged, &code::VERDICT_UNJUDGED, plain);
            checks.push(check);
            None
        }
    };
    if let (Some(key), true) = (&key, checks.len() == before) {
        let plain = format!(
            "the enrolled {} key, bound to its TPM and restricted",
            key.kind()
        );
        checks.push(Check::pass(SUBJECT, plain));
    }
    key
}

/// Whether the TPM opened the challenge's credential: only the one that holds the EK and, beside
/// it, the key with the enrolled AK's Name can.
fn check_activation(case: &Case<'_>) -> Check {
    const SUBJECT: &str = "activation";
    let unproven =
        |plain: &str| Check::other(SUBJECT, Outcome::Weak, &code::ACTIVATION_UNPROVEN, plain);
    let Some(asked) = &case.asked else {
        return unproven("no challenge was given, so nothing was activated");
    };
    if asked.challenge.credential.is_empty() {
        return unproven("the challenge carries no credential");
    }
    if asked.challenge.enrolment != *case.enrolment.id() {
        let plain = "the challenge's credential is for another enrolment";
        let check = Check::fail(SUBJECT, &code::ACTIVATION_ENROLMENT, plain);
        let found = asked.challenge.enrolment.to_string();
        return check.sides(case.enrolment.id().to_string(), found);
    }
    let Some(secret) = asked.secret else {
        return unproven("the challenge's secret was not given");
    };
    if case.body.activation != secret {
        // The secret itself is not for a report.
        let plain = "the credential was not opened: attestation and endorsement key are not \
                     proven to be of one TPM";
        return Check::fail(SUBJECT, &code::ACTIVATION_WRONG, plain);
    }
    Check::pass(SUBJECT, "attestation and endorsement key are of one TPM")
}

fn sides_of(check: Check, expected: &[u8], found: &[u8]) -> Check {
    let name = |bytes: &[u8]| match bytes.len() {
        0 => "none".to_owned(),
        _ => format!("sha256 {}", Digest::of(bytes)),
    };
    check.sides(name(expected), name(found))
}
