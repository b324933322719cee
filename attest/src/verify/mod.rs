//! Judging one evidence: every check, in the order in which one may rely on the last.
//!
//! A check that fails does not end the judgement: what can still be said is said, what rests on
//! the failed check is marked unjudged, and the verdict fails.

mod audit;
mod identity;
mod kept;
mod measured;
mod members;
mod memo;
mod verifier;

pub use verifier::Verifier;

use kept::Kept;
use memo::Memo;
use p256::ecdsa::VerifyingKey as ReleaseKey;

use crate::challenge::Challenge;
use crate::code::{self, Code};
use crate::codec::CodecError;
use crate::digest::Digest;
use crate::enrolment::{Enrolment, EnrolmentError, Root};
use crate::evidence::{Body, Evidence};
use crate::quote::VerifiedQuote;
use crate::release::Release;
use crate::roots::RootError;
use crate::verdict::{Check, Facts, Outcome, ReleaseName, Subject, Verdict};
use crate::x509::VerifiedCertificate;

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
    /// The evidence names an appliance that none of several enrolment records is of.
    #[error("the evidence is of appliance {0}, and no enrolment record is")]
    Unenrolled(Digest),
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
            Self::Unenrolled(_) => &code::ENROLMENT_ABSENT,
        }
    }

    /// Whether a file could not be read, rather than not be believed.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        match self {
            Self::Evidence(_) | Self::Challenge(_) | Self::Secret(_) => true,
            Self::Enrolment(error) => error.is_malformed(),
            Self::Unenrolled(_) => false,
        }
    }
}

/// The verifier's own challenge, and the answer it expects when it kept it.
#[derive(Debug)]
struct Asked {
    bytes: Vec<u8>,
    challenge: Challenge,
    secret: Option<[u8; 32]>,
}

/// Whether the auditor's own authorities vouch for the enrolled endorsement key.
type Endorsed = Result<VerifiedCertificate, RootError>;

/// What every part of the judgement sees.
struct Case<'i> {
    body: &'i Body,
    evidence: &'i Evidence,
    enrolment: &'i Enrolment,
    asked: Option<&'i Asked>,
    endorsed: Option<&'i Endorsed>,
    inputs: &'i Inputs<'i>,
    memo: &'i Memo,
    kept: &'i Kept,
}

/// Judges an evidence.
///
/// # Errors
/// [`VerifyError`] when evidence, enrolment or challenge cannot be read, or the enrolment is not
/// the owner's: then there is no verdict.
pub fn verify(inputs: &Inputs<'_>) -> Result<Verdict, VerifyError> {
    Verifier::new(*inputs)?.judge(inputs.evidence)
}

fn judge(
    inputs: &Inputs<'_>,
    evidence: &Evidence,
    enrolment: &Enrolment,
    asked: Option<&Asked>,
    endorsed: Option<&Endorsed>,
    memo: &Memo,
    kept: &Kept,
) -> Verdict {
    let case = Case {
        body: evidence.body(),
        evidence,
        enrolment,
        asked,
        endorsed,
        inputs,
        memo,
        kept,
    };
    let mut checks = members::check(&case);
    checks.extend(members::check_challenge(&case));
    let key = identity::check(&case, &mut checks);
    let release = measured::check_release(&case, &mut checks);
    checks.extend(kept.check(&case, release.as_deref()));
    let quote = measured::check_quote(&case, key.as_ref(), &mut checks);
    measured::check_logs(&case, release.as_deref(), quote.as_ref(), &mut checks);
    let head = audit::check(&case, key.as_ref(), &mut checks);
    checks.push(measured::check_clock(&case, quote.as_ref()));
    let root = check_root(&case, release.as_deref(), &mut checks);
    let facts = Facts {
        evidence: evidence.id().to_string(),
        enrolment: enrolment.id().to_string(),
        label: enrolment.label().to_owned(),
        release: release.map(|release| ReleaseName {
            product: release.product.clone(),
            version: release.version.clone(),
            number: release.number,
        }),
        audit: head.audit,
        jobs: head.jobs,
        clock: quote.as_ref().map(VerifiedQuote::clock),
        clock_is_safe: quote.as_ref().is_some_and(VerifiedQuote::clock_is_safe),
        key: key
            .map(|key| key.public().name().to_vec())
            .unwrap_or_default(),
        asked_ms: answered(&case, &checks),
    };
    Verdict::conclude(checks, root, facts)
}

/// When the challenge was made, if the evidence answers it.
fn answered(case: &Case<'_>, checks: &[Check]) -> Option<u64> {
    let asked = case.asked?;
    let mut answers = checks
        .iter()
        .filter(|check| check.subject == Subject::Challenge);
    let answered = answers.all(|check| check.outcome == Outcome::Pass);
    answered.then_some(asked.challenge.created_ms)
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
