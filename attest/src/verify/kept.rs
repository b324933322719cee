//! What a verifier holds besides: other releases, logs of enrolment, what the owner revoked.

use super::{Case, Verifier};
use crate::appraisal::Baseline;
use crate::code::{self, Code};
use crate::digest::Digest;
use crate::eventlog::{EventLog, LogError};
use crate::messages::phrases;
use crate::release::{Release, ReleaseError, identities, key_id};
use crate::revocations::{Kind, OLD_MS, Revocations, RevocationsError};
use crate::verdict::{Check, Subject};
use crate::x509::Certificate;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Releases to name when a register matches another one than the evidence's.
    pub(super) shipped: Vec<Release>,
    /// Firmware logs of enrolments, under their SHA-256.
    logs: Vec<(Digest, Vec<u8>)>,
    revocations: Option<Revocations>,
}

impl Kept {
    /// The firmware log of the case's enrolment.
    pub(super) fn baseline<'b>(&'b self, case: &Case<'_>) -> Option<Baseline<'b>> {
        let enrolled = case.enrolment.request();
        let mut logs = self.logs.iter();
        let (_, log) = logs.find(|(digest, _)| *digest == enrolled.firmware_log)?;
        Baseline::read(log, enrolled).ok()
    }

    /// Checks what the owner revoked.
    pub(super) fn check(&self, case: &Case<'_>, release: Option<&Release>) -> Vec<Check> {
        let Some(list) = &self.revocations else {
            return Vec::new();
        };
        let mut checks = vec![age(list, case.inputs.now_ms)];
        let mut revoked = |subject, code: &'static Code, kind, value: Digest| {
            if let Some(entry) = list.find(kind, &value) {
                let check = Check::fail(subject, code).detail(&entry.reason);
                checks.push(check.sides("not revoked", value));
            }
        };
        let key = key_id(case.inputs.release_key);
        let ak = Digest::of(&case.enrolment.request().ak_public);
        let (subject, code) = (Subject::Release, &code::RELEASE_KEY_REVOKED);
        revoked(subject, code, Kind::ReleaseKey, key);
        for manifest in identities(&case.body.release) {
            revoked(subject, &code::RELEASE_REVOKED, Kind::Release, manifest);
        }
        let (subject, code) = (Subject::AttestationKey, &code::AK_REVOKED);
        revoked(subject, code, Kind::AttestationKey, ak);
        let (subject, code) = (Subject::EndorsementKey, &code::EK_CA_REVOKED);
        let authorities = authorities(case);
        for authority in &authorities {
            revoked(subject, code, Kind::EndorsementCa, *authority);
        }
        let is_traced = authorities.is_empty() || matches!(case.endorsed, Some(Ok(_)));
        if !is_traced && list.has(Kind::EndorsementCa) {
            checks.push(Check::weak(subject, &code::EK_CA_UNTRACED));
        }
        if let Some(release) = release.filter(|release| release.number < list.floor) {
            let check = Check::fail(Subject::Release, &code::RELEASE_FLOOR);
            let expected = format!("number {} or higher", list.floor);
            checks.push(check.sides(expected, release.number));
        }
        checks
    }
}

/// The names of the authorities behind the endorsement key: all of the path that was found, or
/// without one the certificate's issuer.
fn authorities(case: &Case<'_>) -> Vec<Digest> {
    if let Some(Ok(found)) = case.endorsed {
        return found.authorities().to_vec();
    }
    let certificate = Certificate::read(&case.enrolment.request().ek_certificate);
    let issuer = certificate.map(|certificate| certificate.issuer_digest());
    issuer.into_iter().collect()
}

/// The list's number and age; an old one is warned of.
fn age(list: &Revocations, now_ms: u64) -> Check {
    const DAY_MS: u64 = 86_400_000;
    let (age, entries) = (list.age_ms(now_ms), list.entries.len());
    let said = phrases::revocations_age(list.number, age / DAY_MS, entries);
    if age > OLD_MS {
        Check::note(Subject::Revocations, &code::REVOCATIONS_OLD).saying(said)
    } else {
        Check::pass(Subject::Revocations, said)
    }
}

impl Verifier<'_> {
    /// Adds a release that may be named when a register matches it. It must be the release key's.
    ///
    /// # Errors
    /// [`ReleaseError`] when it is not.
    pub fn ship(&mut self, manifest: &[u8]) -> Result<(), ReleaseError> {
        let release = Release::verify(manifest, self.inputs.release_key)?;
        self.kept.shipped.push(release);
        Ok(())
    }

    /// Takes the owner's list of what is revoked. Of two the one with the higher number counts.
    ///
    /// # Errors
    /// [`RevocationsError`] when it is not the owner's.
    pub fn revoke(&mut self, list: &[u8]) -> Result<(), RevocationsError> {
        let list = Revocations::verify(list, self.inputs.owner_key)?;
        let held = self.kept.revocations.as_ref();
        if held.is_none_or(|held| held.number < list.number) {
            self.kept.revocations = Some(list);
        }
        Ok(())
    }

    /// Adds the firmware log that was kept when an appliance was enrolled. False when no
    /// enrolment that was added names it: then it explains nothing.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be read: what is given is used, or said not to be.
    pub fn keep_log(&mut self, log: Vec<u8>) -> Result<bool, LogError> {
        EventLog::parse(&log)?;
        let digest = Digest::of(&log);
        let mut enrolments = self.enrolments.iter();
        let named = enrolments.any(|enrolment| enrolment.request().firmware_log == digest);
        if named {
            self.kept.logs.push((digest, log));
        }
        Ok(named)
    }
}
