//! What was done: the log key, the audit log's head, artifact manifests, an export of the log.

use ed25519_dalek::VerifyingKey;

use super::Case;
use crate::artifacts::Manifest;
use crate::checkpoint::{Checkpoint, Origin, cosigned_digest};
use crate::code::{self, Code};
use crate::evidence::log_key_qualifying;
use crate::export::VerifiedExport;
use crate::merkle;
use crate::messages::phrases;
use crate::quote::AttestationKey;
use crate::tpm::attest::{AttestError, CertifyInfo};
use crate::tpm::public::Public;
use crate::tpm::signature::{RawSignature, SignatureError};
use crate::tpm::{Hash, StructureError};
use crate::verdict::{Check, Outcome, Subject};

/// What the verdict says of the audit log and of jobs.
#[derive(Default)]
pub(super) struct Head {
    pub(super) audit: Option<Checkpoint>,
    pub(super) jobs: Vec<(String, usize)>,
}

/// Why the TPM's log key or its cosignature does not count.
#[derive(Debug, thiserror::Error)]
enum LogKeyError {
    #[error("the log key cannot be read {0}")]
    Structure(#[from] StructureError),
    #[error("the log key's certification: {0}")]
    Attest(#[from] AttestError),
    #[error("the log key's certification: {0}")]
    Signature(SignatureError),
    #[error("the log key's certification is by another key's name")]
    Signer,
    #[error("the log key was certified for another enrolment")]
    Qualifying,
    #[error("another key than the log key was certified")]
    Name,
    #[error("the log key may leave the TPM, or does more than sign ({0:#010x})")]
    Attributes(u32),
}

impl LogKeyError {
    const fn code(&self) -> &'static Code {
        match self {
            Self::Structure(_) => &code::LOG_KEY_MALFORMED,
            Self::Attest(_) => &code::LOG_KEY_ATTEST,
            Self::Signature(_) | Self::Signer => &code::LOG_KEY_SIGNATURE,
            Self::Qualifying => &code::LOG_KEY_QUALIFYING,
            Self::Name => &code::LOG_KEY_NAME,
            Self::Attributes(_) => &code::LOG_KEY_ATTRIBUTES,
        }
    }
}

pub(super) fn check(
    case: &Case<'_>,
    key: Option<&AttestationKey>,
    checks: &mut Vec<Check>,
) -> Head {
    let log_key = check_log_key(case, key, checks);
    let Ok(audit_key) = VerifyingKey::from_bytes(&case.body.audit.key) else {
        let check = Check::fail(Subject::AuditHead, &code::AUDIT_HEAD_KEY);
        checks.push(check.detail("not an Ed25519 key"));
        let why = phrases::unjudged_no_audit_key();
        checks.push(Check::unjudged(Subject::Artifacts, why));
        return Head::default();
    };
    let before = checks.len();
    let checkpoint = check_head(case, &audit_key, log_key.as_ref(), checks);
    let mut outcomes = checks.iter().skip(before).map(|check| check.outcome);
    let holds = outcomes.all(|outcome| outcome == Outcome::Pass);
    let jobs = check_artifacts(case, &audit_key, checks);
    if let (Some(export), Some(head)) = (case.inputs.export, &checkpoint) {
        checks.push(check_export(export, &audit_key, head));
    }
    // Nothing is shown as a fact that the enrolled key and the TPM do not stand for.
    let enrolled = case.body.audit.key == case.enrolment.request().audit_key;
    Head {
        audit: checkpoint.filter(|_| holds),
        jobs: if enrolled { jobs } else { Vec::new() },
    }
}

fn check_log_key(
    case: &Case<'_>,
    key: Option<&AttestationKey>,
    checks: &mut Vec<Check>,
) -> Option<Public> {
    const SUBJECT: Subject = Subject::LogKey;
    let Some(key) = key else {
        checks.push(Check::unjudged(SUBJECT, phrases::unjudged_no_key()));
        return None;
    };
    match certified(case, key) {
        Ok(public) => {
            checks.push(Check::pass(SUBJECT, phrases::log_key_holds()));
            Some(public)
        }
        Err(error) => {
            checks.push(Check::fail(SUBJECT, error.code()).detail(error));
            None
        }
    }
}

fn certified(case: &Case<'_>, key: &AttestationKey) -> Result<Public, LogKeyError> {
    let claimed = &case.body.log_key;
    let info = CertifyInfo::from_bytes(&claimed.attest)?;
    let rests_on = [key.public().name(), &claimed.attest, &claimed.signature];
    case.memo.once("certification", &rests_on, || {
        RawSignature::from_bytes(&claimed.signature)
            .map_err(SignatureError::from)
            .and_then(|signature| signature.verify(key.public(), &claimed.attest))
            .map(drop)
            .map_err(LogKeyError::Signature)
    })?;
    key.check_signer(&info.header.qualified_signer)
        .map_err(|_| LogKeyError::Signer)?;
    if info.header.qualifying != log_key_qualifying(case.enrolment.id()).as_bytes() {
        return Err(LogKeyError::Qualifying);
    }
    let public = Public::from_sized(&claimed.public)?;
    if info.name != public.name() {
        return Err(LogKeyError::Name);
    }
    if !(public.is_bound() && public.only_signs()) {
        return Err(LogKeyError::Attributes(public.attributes()));
    }
    Ok(public)
}

/// The checkpoint: by the enrolled key, of the enrolled log, cosigned by the TPM.
fn check_head(
    case: &Case<'_>,
    audit_key: &VerifyingKey,
    log_key: Option<&Public>,
    checks: &mut Vec<Check>,
) -> Option<Checkpoint> {
    const SUBJECT: Subject = Subject::AuditHead;
    let before = checks.len();
    let (audit, enrolled) = (&case.body.audit, case.enrolment.request());
    if audit.key != enrolled.audit_key {
        let check = Check::fail(SUBJECT, &code::AUDIT_HEAD_KEY);
        checks.push(check.sides(hex::encode(enrolled.audit_key), hex::encode(audit.key)));
    }
    let origin = Origin::new(&enrolled.audit_origin);
    let checkpoint = match Checkpoint::verify(&audit.note, audit_key, origin.as_ref()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            checks.push(Check::fail(SUBJECT, error.code()).detail(error));
            return None;
        }
    };
    let Some(log_key) = log_key else {
        checks.push(Check::unjudged(SUBJECT, phrases::unjudged_cosigner()));
        return None;
    };
    let digest = cosigned_digest(&checkpoint, audit.cosigned_ms);
    let rests_on = [log_key.name(), digest.as_bytes(), &audit.cosignature];
    let cosigned = case.memo.once("cosignature", &rests_on, || {
        RawSignature::from_bytes(&audit.cosignature)
            .map_err(SignatureError::from)
            .and_then(|signature| match signature.hash() {
                Hash::Sha256 => signature.verify_digest(log_key, digest.as_bytes()),
                _ => Err(SignatureError::Wrong),
            })
    });
    if let Err(error) = cosigned {
        checks.push(Check::fail(SUBJECT, &code::AUDIT_COSIGNATURE).detail(error));
    }
    if checks.len() == before {
        let said = phrases::audit_head_holds(checkpoint.size);
        checks.push(Check::pass(SUBJECT, said));
    }
    Some(checkpoint)
}

fn check_artifacts(
    case: &Case<'_>,
    audit_key: &VerifyingKey,
    checks: &mut Vec<Check>,
) -> Vec<(String, usize)> {
    const SUBJECT: Subject = Subject::Artifacts;
    let before = checks.len();
    let mut jobs: Vec<(String, usize)> = Vec::new();
    for manifest in &case.body.artifacts {
        let manifest = match Manifest::verify(manifest, audit_key) {
            Ok(manifest) => manifest,
            Err(error) => {
                checks.push(Check::fail(SUBJECT, error.code()).detail(error));
                continue;
            }
        };
        let job = hex::encode(manifest.job());
        if jobs.iter().any(|(other, _)| *other == job) {
            let check = Check::fail(SUBJECT, &code::ARTIFACTS_TWICE);
            checks.push(check.detail(format!("job {job}")));
        }
        jobs.push((job, manifest.items().len()));
    }
    if checks.len() == before {
        let said = match jobs.len() {
            0 => phrases::artifacts_none(),
            1 => phrases::artifacts_one(),
            count => phrases::artifacts_many(count),
        };
        checks.push(Check::pass(SUBJECT, said));
    }
    jobs
}

/// The export must be of this log, and its first entries those that the evidence vouches for.
fn check_export(export: &[u8], audit_key: &VerifyingKey, head: &Checkpoint) -> Check {
    const SUBJECT: Subject = Subject::AuditExport;
    let export = match VerifiedExport::read(export, Some(audit_key)) {
        Ok(export) => export,
        Err(error) => return Check::fail(SUBJECT, error.code()).detail(error),
    };
    let size = usize::try_from(head.size).unwrap_or(usize::MAX);
    let same_origin = export.checkpoint.origin == head.origin;
    let Some(covered) = export.hashes.get(..size).filter(|_| same_origin) else {
        let check = Check::fail(SUBJECT, &code::AUDIT_SHORT);
        let show = |head: &Checkpoint| format!("{}, {} entries", head.origin, head.size);
        return check.sides(show(head), show(&export.checkpoint));
    };
    let found = merkle::root(covered);
    if found != head.root {
        return Check::fail(SUBJECT, &code::AUDIT_FORK).sides(head.root, found);
    }
    let later = export.hashes.len().saturating_sub(size);
    Check::pass(SUBJECT, phrases::export_holds(size, later))
}
