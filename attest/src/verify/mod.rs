//! Judging one evidence: every check, in the order in which one may rely on the last.
//!
//! A check that fails does not end the judgement: what can still be said is said, what rests on
//! the failed check is marked unjudged, and the verdict fails.

mod audit;
mod identity;
mod measured;
mod members;

use p256::ecdsa::VerifyingKey as ReleaseKey;

use crate::challenge::{Challenge, ChallengeSecret};
use crate::code::{self, Code};
use crate::codec::CodecError;
use crate::enrolment::{Enrolment, EnrolmentError, Root};
use crate::evidence::{Body, Evidence};
use crate::release::Release;
use crate::verdict::{Check, Facts, ReleaseName, Subject, Verdict};

/// Everything that a judgement rests on. Files are given as their bytes.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'i> {
    /// The evidence file, from the appliance.
    pub evidence: &'i [u8],
    /// The enrolment record.
    pub enrolment: &'i [u8],
    /// The owner's key, which signed the record.
    pub owner_key: &'i ed25519_dalek::VerifyingKey,
    /// The key that signs releases.
    pub release_key: &'i ReleaseKey,
    /// The challenge that was sent in, from the verifier's own side.
    pub challenge: Option<&'i [u8]>,
    /// Its side file.
    pub secret: Option<&'i [u8]>,
    /// An export of the audit log, to be held against the evidence's checkpoint.
    pub export: Option<&'i [u8]>,
    /// The verifier's clock, milliseconds since 1970.
    pub now_ms: u64,
    /// Whether a development release or TPM is acceptable.
    pub accept_development: bool,
}

/// Why there is nothing to judge, or nothing to judge it by.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VerifyError {
    /// The evidence file cannot be read.
    #[error("the evidence: {0}")]
    Evidence(CodecError),
    /// The enrolment record cannot be read or is not the owner's.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The verifier's own challenge file cannot be read.
    #[error("the challenge: {0}")]
    Challenge(CodecError),
    /// Its side file cannot be read, or is that of another challenge.
    #[error("the challenge's secret: {0}")]
    Secret(CodecError),
}

impl VerifyError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Evidence(error) | Self::Challenge(error) | Self::Secret(error) => error.code(),
            Self::Enrolment(error) => error.code(),
        }
    }

    /// Whether a file could not be read, rather than not be believed.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        match self {
            Self::Evidence(_) | Self::Challenge(_) | Self::Secret(_) => true,
            Self::Enrolment(error) => error.is_malformed(),
        }
    }
}

/// The verifier's own challenge, and the answer it expects when it kept it.
struct Asked {
    bytes: Vec<u8>,
    challenge: Challenge,
    secret: Option<[u8; 32]>,
}

/// What every part of the judgement sees.
struct Case<'i> {
    body: &'i Body,
    evidence: &'i Evidence,
    enrolment: &'i Enrolment,
    asked: Option<Asked>,
    inputs: &'i Inputs<'i>,
}

/// Judges an evidence.
///
/// # Errors
/// [`VerifyError`] when evidence, enrolment or challenge cannot be read, or the enrolment is not
/// the owner's: then there is no verdict.
pub fn verify(inputs: &Inputs<'_>) -> Result<Verdict, VerifyError> {
    let enrolment = Enrolment::verify(inputs.enrolment, inputs.owner_key)?;
    let asked = read_challenge(inputs)?;
    let evidence = Evidence::from_bytes(inputs.evidence).map_err(VerifyError::Evidence)?;
    let case = Case {
        body: evidence.body(),
        evidence: &evidence,
        enrolment: &enrolment,
        asked,
        inputs,
    };
    let mut checks = members::check(&case);
    checks.extend(members::check_challenge(&case));
    let key = identity::check(&case, &mut checks);
    let release = measured::check_release(&case, &mut checks);
    let quote = measured::check_quote(&case, key.as_ref(), &mut checks);
    measured::check_logs(&case, release.as_ref(), quote.as_ref(), &mut checks);
    let head = audit::check(&case, key.as_ref(), &mut checks);
    checks.push(measured::check_clock(&case, quote.as_ref()));
    let root = check_root(&case, release.as_ref(), &mut checks);
    let facts = Facts {
        evidence: evidence.id().to_string(),
        enrolment: enrolment.id().to_string(),
        label: enrolment.label().to_owned(),
        release: release.map(|release| ReleaseName {
            product: release.product,
            version: release.version,
            number: release.number,
        }),
        audit: head.audit,
        jobs: head.jobs,
        clock: quote.map(|quote| quote.clock()),
    };
    Ok(Verdict::conclude(checks, root, facts))
}

fn read_challenge(inputs: &Inputs<'_>) -> Result<Option<Asked>, VerifyError> {
    let Some(bytes) = inputs.challenge else {
        return Ok(None);
    };
    let challenge = Challenge::from_bytes(bytes).map_err(VerifyError::Challenge)?;
    let secret = inputs.secret.map(ChallengeSecret::from_bytes).transpose();
    let secret = secret.map_err(VerifyError::Secret)?;
    if secret
        .as_ref()
        .is_some_and(|secret| secret.challenge != crate::digest::Digest::of(bytes))
    {
        let reason = "the side file is of another challenge".to_owned();
        return Err(VerifyError::Secret(CodecError::Member {
            member: "challenge",
            reason,
        }));
    }
    Ok(Some(Asked {
        bytes: bytes.to_vec(),
        challenge,
        secret: secret.map(|secret| secret.secret),
    }))
}

/// The root behind it all. A development root passes only when it was asked for.
fn check_root(case: &Case<'_>, release: Option<&Release>, checks: &mut Vec<Check>) -> Root {
    let released = release.is_some_and(|release| release.development);
    let enrolled = case.enrolment.root() == Root::Development;
    let root = if released {
        Root::Development
    } else {
        case.enrolment.root()
    };
    let code = match (released, enrolled) {
        (true, _) => &code::RELEASE_DEVELOPMENT,
        (false, true) => &code::ENROLMENT_DEVELOPMENT,
        (false, false) => {
            checks.push(Check::pass(Subject::Root, root.sentence()));
            return root;
        }
    };
    checks.push(if case.inputs.accept_development {
        Check::note(Subject::Root, code)
    } else {
        Check::fail(Subject::Root, code)
    });
    root
}
