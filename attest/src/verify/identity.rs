//! Which TPM this is: enrolment, endorsement key, attestation key, activation.

use super::Case;
use crate::code;
use crate::digest::Digest;
use crate::endorsement;
use crate::messages::{self, phrases};
use crate::quote::AttestationKey;
use crate::tpm::public::Public;
use crate::verdict::{Check, Subject};

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
    const SUBJECT: Subject = Subject::Enrolment;
    let (expected, found) = (case.enrolment.id(), &case.body.enrolment);
    if expected != found {
        return Check::fail(SUBJECT, &code::ENROLMENT_OTHER).sides(expected, found);
    }
    Check::pass(SUBJECT, phrases::enrolment_holds())
}

fn check_endorsement(case: &Case<'_>, checks: &mut Vec<Check>) -> Option<Public> {
    const SUBJECT: Subject = Subject::EndorsementKey;
    let before = checks.len();
    let (enrolled, stated) = (case.enrolment.request(), case.body);
    if stated.ek_public != enrolled.ek_public {
        let check = Check::fail(SUBJECT, &code::EK_OTHER);
        checks.push(sides_of(check, &enrolled.ek_public, &stated.ek_public));
    }
    if stated.ek_certificate != enrolled.ek_certificate {
        let check = Check::fail(SUBJECT, &code::EK_CERTIFICATE);
        let (expected, found) = (&enrolled.ek_certificate, &stated.ek_certificate);
        checks.push(sides_of(check, expected, found));
    }
    let public = Public::from_sized(&enrolled.ek_public);
    match &public {
        Err(error) => checks.push(Check::fail(SUBJECT, &code::EK_MALFORMED).detail(error)),
        // Whoever signs records can sign two for one key, if it may be written in two ways.
        Ok(ek) if endorsement::area(ek.key()).as_ref() != Some(&enrolled.ek_public) => {
            checks.push(Check::fail(SUBJECT, &code::EK_TEMPLATE));
        }
        Ok(_) => {}
    }
    if checks.len() == before {
        checks.push(Check::pass(SUBJECT, phrases::endorsement_holds()));
    }
    match case.endorsed {
        // The owner's word for what stands behind the TPM: the verdict names it.
        None => {}
        Some(Err(error)) => checks.push(Check::fail(SUBJECT, error.code()).detail(error)),
        Some(Ok(found)) => {
            let model = found.model().map(ToString::to_string);
            let model = model.unwrap_or_else(|| "TPM".to_owned());
            let said = messages::identity::certificate_holds(&model, found.root());
            checks.push(Check::pass(SUBJECT, said));
            if found.has_expired() {
                checks.push(Check::note(SUBJECT, &code::CERTIFICATE_EXPIRED));
            }
        }
    }
    public.ok()
}

fn check_attestation(
    case: &Case<'_>,
    endorsement: Option<&Public>,
    checks: &mut Vec<Check>,
) -> Option<AttestationKey> {
    const SUBJECT: Subject = Subject::AttestationKey;
    let before = checks.len();
    let enrolled = &case.enrolment.request().ak_public;
    if case.body.ak_public != *enrolled {
        let check = Check::fail(SUBJECT, &code::AK_OTHER);
        checks.push(sides_of(check, enrolled, &case.body.ak_public));
    }
    let key = match endorsement.map(|ek| AttestationKey::check(enrolled, ek)) {
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            checks.push(Check::fail(SUBJECT, error.code()).detail(error));
            None
        }
        None => {
            checks.push(Check::unjudged(SUBJECT, phrases::unjudged_endorsement()));
            None
        }
    };
    if let (Some(key), true) = (&key, checks.len() == before) {
        checks.push(Check::pass(SUBJECT, phrases::attestation_holds(key.kind())));
    }
    key
}

/// Whether the TPM opened the challenge's credential: only the one that holds the EK and, beside
/// it, the key with the enrolled AK's Name can.
fn check_activation(case: &Case<'_>) -> Check {
    const SUBJECT: Subject = Subject::Activation;
    let unproven = |why| Check::weak(SUBJECT, &code::ACTIVATION_UNPROVEN).saying(why);
    let Some(asked) = case.asked else {
        return unproven(phrases::activation_unasked());
    };
    if asked.challenge.credential.is_empty() {
        return unproven(phrases::activation_bare());
    }
    let (expected, found) = (case.enrolment.id(), &asked.challenge.enrolment);
    if expected != found {
        return Check::fail(SUBJECT, &code::ACTIVATION_ENROLMENT).sides(expected, found);
    }
    let Some(secret) = asked.secret else {
        return unproven(phrases::activation_kept());
    };
    if case.body.activation != secret {
        // The secret itself is not for a report.
        return Check::fail(SUBJECT, &code::ACTIVATION_WRONG);
    }
    Check::pass(SUBJECT, phrases::activation_holds())
}

fn sides_of(check: Check, expected: &[u8], found: &[u8]) -> Check {
    let name = |bytes: &[u8]| match bytes.len() {
        0 => "none".to_owned(),
        _ => format!("sha256 {}", Digest::of(bytes)),
    };
    check.sides(name(expected), name(found))
}
