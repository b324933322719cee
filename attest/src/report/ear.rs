//! The verdict as an EAT Attestation Result (draft-ietf-rats-ear-04, JSON), for programs that read
//! those of any verifier.
//!
//! Its trustworthiness vector (draft-ietf-rats-ar4si) makes a claim only where a check of ours made
//! one: nothing is said of the file system, of sealed storage or of memory seen from outside.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Error, Signature, SigningKey};
use serde_json::{Map, Value, json};

use crate::enrolment::Root;
use crate::messages::Language;
use crate::verdict::{Decision, Outcome, Subject, Verdict};

/// The profile's name in revision 04 of the draft.
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";

/// AR4SI values, section 2.3.4 of the draft. Those below zero are of this program.
const RECOGNISED_INSTANCE: i8 = 2;
const UNTRUSTWORTHY_INSTANCE: i8 = 96;
const UNRECOGNISED_INSTANCE: i8 = 97;
const UNPROVEN_INSTANCE: i8 = -33;
const APPROVED_BOOT: i8 = 3;
const VULNERABLE_BOOT: i8 = 32;
const UNRECOGNISED_BOOT: i8 = 33;
const APPROVED_CONFIGURATION: i8 = 2;
const UNSUPPORTABLE_CONFIGURATION: i8 = 96;
const GENUINE_HARDWARE: i8 = 2;
const CRYPTOGRAPHY_FAILED: i8 = 99;

/// An attestation result: claims that stand for themselves, or are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ear {
    claims: Value,
}

impl Ear {
    /// The claims of a verdict that was reached at `judged_ms`, milliseconds since 1970.
    #[must_use]
    pub fn of(verdict: &Verdict, judged_ms: u64) -> Self {
        let facts = verdict.facts();
        let mut policies = vec![format!("urn:casemate:enrolment:{}", facts.enrolment)];
        if let Some(release) = &facts.release {
            policies.push(format!("urn:casemate:release:{}", release.number));
        }
        let vector: Map<String, Value> = vector(verdict)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        let codes = verdict.checks().iter().filter_map(|check| check.code);
        let codes: Vec<&str> = codes.map(|code| code.id).collect();
        let claims = json!({
            "eat_profile": PROFILE,
            "iat": judged_ms / 1000,
            "ear_verifier_id": {
                "developer": "Casemate",
                "build": concat!("attest ", env!("CARGO_PKG_VERSION")),
            },
            "submods": {
                "appliance": {
                    "ear_status": status(verdict),
                    "ear_trustworthiness_vector": vector,
                    "ear_appraisal_policy_ids": policies,
                    // Claims of our own, which a reader may ignore.
                    "casemate_evidence": facts.evidence,
                    "casemate_root": verdict.root().phrase().text(Language::English),
                    "casemate_verdict": verdict.decision().id(),
                    "casemate_codes": codes,
                },
            },
        });
        Self { claims }
    }

    /// The claims, unsigned.
    #[must_use]
    pub const fn claims(&self) -> &Value {
        &self.claims
    }

    /// The claims as a JSON Web Token in compact form, signed with ES256.
    ///
    /// # Errors
    /// When the key cannot sign, which a P-256 key always can.
    pub fn signed(&self, key: &SigningKey) -> Result<String, Error> {
        let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let header = json!({ "alg": "ES256", "typ": "eat+jwt" });
        let message = format!("{}.{}", part(&header), part(&self.claims));
        let signature: Signature = key.try_sign(message.as_bytes())?;
        let signature = Base64UrlUnpadded::encode_string(&signature.to_bytes());
        Ok(format!("{message}.{signature}"))
    }
}

/// The tier. A development root is accepted for a trial, and is no more than that here either.
fn status(verdict: &Verdict) -> &'static str {
    match (verdict.decision(), verdict.root()) {
        (Decision::Fail, _) => "contraindicated",
        (Decision::Conditional, _) | (Decision::Pass, Root::Development) => "warning",
        (Decision::Pass, _) => "affirming",
    }
}

fn vector(verdict: &Verdict) -> Vec<(&'static str, i8)> {
    let any = |subjects: &[Subject], outcome| {
        let of_these = |subject| subjects.contains(&subject);
        let mut checks = verdict.checks().iter();
        checks.any(|check| of_these(check.subject) && check.outcome == outcome)
    };
    let fails =
        |subjects: &[Subject]| any(subjects, Outcome::Fail) || any(subjects, Outcome::Unjudged);
    let key = [Subject::EndorsementKey, Subject::AttestationKey];
    let identity = [Subject::Enrolment, Subject::Activation, Subject::LogKey];
    let forged = fails(&[Subject::Quote, Subject::Members]);
    let instance = if forged {
        CRYPTOGRAPHY_FAILED
    } else if any(&[Subject::History, Subject::Clock], Outcome::Fail) {
        UNTRUSTWORTHY_INSTANCE
    } else if fails(&key) || fails(&identity) {
        UNRECOGNISED_INSTANCE
    } else if any(&[Subject::Challenge], Outcome::Fail)
        || any(
            &[Subject::Activation, Subject::Challenge, Subject::History],
            Outcome::Weak,
        )
    {
        UNPROVEN_INSTANCE
    } else {
        RECOGNISED_INSTANCE
    };
    let booted = [Subject::EventLogs, Subject::Registers];
    let executables = if forged || any(&[Subject::EventLogs], Outcome::Fail) {
        CRYPTOGRAPHY_FAILED
    } else if fails(&booted) {
        UNRECOGNISED_BOOT
    } else if fails(&[Subject::Release]) {
        VULNERABLE_BOOT
    } else {
        APPROVED_BOOT
    };
    let mut vector = vec![
        ("instance-identity", instance),
        ("executables", executables),
    ];
    if !forged && any(&[Subject::SecureBoot], Outcome::Fail) {
        vector.push(("configuration", UNSUPPORTABLE_CONFIGURATION));
    } else if executables == APPROVED_BOOT {
        vector.push(("configuration", APPROVED_CONFIGURATION));
    }
    if verdict.root() == Root::HardwareEk && instance == RECOGNISED_INSTANCE {
        vector.push(("hardware", GENUINE_HARDWARE));
    }
    vector
}
