//! The signed manifest of a release: the prediction of every register, and the policy that
//! opens the sealed root.

use casemate_attest::digest::Digest;
use casemate_attest::evidence::POLICY_PCRS;
use casemate_attest::predict::pcr11::{self, Stub};
use casemate_attest::predict::{PeImage, PredictError, pcr4, pcr7, pcr12};
use casemate_attest::release::{BootRules, ExpectedEvent, Reference, Release, ReleaseParts, Rule};
use casemate_attest::sealing;

use super::boot::Boot;
use super::key::ReleaseKey;
use crate::error::BuildError;

/// 1 January 2036 in milliseconds since 1970: a development release does not age in practice.
const NOT_AFTER_MS: u64 = 2_082_758_400_000;

/// A signed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `COSE_Sign1`.
    pub manifest: Vec<u8>,
}

/// What a release says of itself and what it is predicted from.
pub(crate) struct Subject<'a> {
    pub(crate) product: &'a str,
    /// The version as people read it.
    pub(crate) version: String,
    /// The version as the floor counts it.
    pub(crate) number: u64,
    /// No verifier of a release accepts it.
    pub(crate) development: bool,
    /// The unified image, signed if it is to boot.
    pub(crate) uki: &'a [u8],
    /// PCR 7.
    pub(crate) secure_boot: Vec<ExpectedEvent>,
}

/// Predicts the registers of `boot` and signs the manifest and the policy with `key`.
///
/// # Errors
/// `Tool` when the UKI cannot be read, `Key` when the key does not sign.
pub fn sign(boot: &Boot, key: &ReleaseKey) -> Result<Signed, BuildError> {
    // The development UKI is not signed: nothing verifies a recording.
    let secure_boot = pcr7::events(&boot.databases(), &boot.authority).map_err(unpredicted)?;
    let subject = Subject {
        product: boot.product,
        version: format!("{} (development)", boot.version),
        number: boot.number,
        development: true,
        uki: &boot.uki(),
        secure_boot,
    };
    sign_subject(&subject, key)
}

fn unpredicted(error: PredictError) -> BuildError {
    BuildError::Tool {
        program: "the UKI".to_owned(),
        why: error.to_string(),
    }
}

/// The same for any unified image.
pub(crate) fn sign_subject(subject: &Subject<'_>, key: &ReleaseKey) -> Result<Signed, BuildError> {
    let uki = PeImage::read(subject.uki).map_err(|error| unpredicted(error.into()))?;
    let references = POLICY_PCRS
        .iter()
        .map(|pcr| reference(subject, &uki, *pcr))
        .collect::<Result<Vec<Reference>, PredictError>>()
        .map_err(unpredicted)?;
    let initrd = references.iter().find(|reference| reference.pcr == 11);
    let initrd_pcr11 = initrd.map_or(Digest::ZERO, Reference::value);
    let approved = sealing::release_approved(*initrd_pcr11.as_bytes(), subject.number);
    let policy = sealing::authorization_hash(&approved, sealing::RELEASE_REF);
    let parts = ReleaseParts {
        product: subject.product.to_owned(),
        version: subject.version.clone(),
        number: subject.number,
        development: subject.development,
        not_after_ms: NOT_AFTER_MS,
        initrd_pcr11,
        references,
        pcr_policy_signature: key.sign_digest(&policy)?,
        boot: BootRules {
            exit_boot_services: true,
            failed_attempts: 0,
        },
    };
    let manifest = Release::new(parts, &key.public())
        .sign(key.signer())
        .map_err(|error| BuildError::Tool {
            program: "the release manifest".to_owned(),
            why: error.to_string(),
        })?;
    Ok(Signed { manifest })
}

/// What a register must hold: image-owned ones by their events, platform-owned ones as enrolled.
fn reference(subject: &Subject<'_>, uki: &PeImage<'_>, pcr: u8) -> Result<Reference, PredictError> {
    let events = match pcr {
        4 => pcr4::predict(&[("UKI", uki)]),
        7 => subject.secure_boot.clone(),
        11 => pcr11::predict(uki, Stub::V257)?,
        12 => pcr12::predict(None),
        15 => vec![opened(subject.number)],
        _ => Vec::new(),
    };
    let rule = if matches!(pcr, 0..=3 | 5 | 6) {
        Rule::Enrolled
    } else {
        Rule::Events
    };
    let tail = if pcr == 11 {
        pcr11::phases()
    } else {
        Vec::new()
    };
    Ok(Reference {
        pcr,
        bank: 0x000b,
        rule,
        events,
        tail,
    })
}

/// PCR 15: the root was opened, once, under this release.
fn opened(number: u64) -> ExpectedEvent {
    ExpectedEvent {
        name: "unseal".to_owned(),
        event_type: sealing::EV_EVENT_TAG,
        digests: vec![Digest::of(&sealing::unseal_event(number))],
    }
}
