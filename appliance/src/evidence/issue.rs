//! Putting an evidence file together.
//!
//! The journal records that evidence is issued before the checkpoint that the
//! evidence carries is made, so every evidence is in the log that it vouches
//! for. The quotes sign for every other member; nothing of the file is believed
//! for coming from here.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use casemate_attest::challenge::Challenge;
use casemate_attest::digest::Digest as Hash;
use casemate_attest::enrolment::{Appliance, EnrolmentRequest, enrolment_id};
use casemate_attest::evidence::{
    AuditHead, Body, Clock, Evidence, FORMAT, LogKey, MAX_LOG, Statement, log_key_qualifying,
};
use casemate_attest::sealing;
use casemate_protocol::Code;
use casemate_protocol::id::{Digest, JobId};
use thiserror::Error;

use super::chip::{Chip, ChipError, ChipThread};
use crate::audit::witness::Clocks;
use crate::code;
use crate::job::error::JobError;
use crate::store::entry::Entry;
use crate::store::row::JobRow;
use crate::store::{Anchored, Store};

/// Most manifests in one evidence, and most bytes of them; both within the format's.
const MAX_MANIFESTS: usize = 64;
const MAX_MANIFEST_BYTES: u64 = 8 << 20;

/// Why there is no evidence.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// The challenge cannot be answered.
    #[error("the challenge cannot be answered: {0}")]
    Challenge(String),
    /// A log cannot be read.
    #[error("{path}: {source}")]
    Log {
        /// Which file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The TPM did not do its part.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// The state did not.
    #[error(transparent)]
    State(#[from] JobError),
}

impl EvidenceError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Challenge(_) => &code::EVIDENCE_CHALLENGE,
            Self::Log { .. } => &code::EVIDENCE_UNAVAILABLE,
            Self::Chip(error) => error.code(),
            Self::State(error) => error.code(),
        }
    }
}

/// What evidence is made from, beside the state.
#[derive(Debug)]
pub struct Issuer {
    chip: ChipThread,
    release: Vec<u8>,
    firmware_log: PathBuf,
    runtime_log: PathBuf,
    one_at_a_time: Mutex<()>,
}

/// What the TPM says of itself; the same for the life of the appliance.
struct Identity {
    ek_public: Vec<u8>,
    ek_certificate: Vec<u8>,
}

impl Issuer {
    /// An issuer with these files; the logs are read anew for each evidence.
    pub fn new(
        chip: ChipThread,
        release: Vec<u8>,
        firmware_log: PathBuf,
        runtime_log: PathBuf,
    ) -> Self {
        Self {
            chip,
            release,
            firmware_log,
            runtime_log,
            one_at_a_time: Mutex::new(()),
        }
    }

    /// Makes evidence: an answer to a challenge, or unasked for if it is empty.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn evidence(
        &self,
        store: &Store,
        clocks: &dyn Clocks,
        challenge: Vec<u8>,
        job: Option<JobId>,
        selftest: Option<Digest>,
        by: &str,
    ) -> Result<Vec<u8>, EvidenceError> {
        // Each takes the TPM several times; two at once would only make both late.
        let _turn = self
            .one_at_a_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let asked = self.check_challenge(&challenge)?;
        let manifests = manifests(store, job)?;
        let firmware_log = read_log(&self.firmware_log)?;
        let runtime_log = read_log(&self.runtime_log)?;
        store
            .commit(Entry::EvidenceIssued {
                challenge: Digest::of(&challenge),
                job,
                by: by.to_owned(),
            })
            .map_err(JobError::from)?;
        let anchored = store.anchor().map_err(JobError::from)?;
        let body = Body {
            format: FORMAT.to_owned(),
            challenge,
            enrolment: Hash::ZERO,
            ek_public: Vec::new(),
            ek_certificate: Vec::new(),
            ak_public: Vec::new(),
            activation: Vec::new(),
            release: self.release.clone(),
            firmware_log,
            runtime_log,
            log_key: LogKey {
                public: Vec::new(),
                attest: Vec::new(),
                signature: Vec::new(),
            },
            audit: audit_head(store, anchored),
            artifacts: manifests.into_iter().map(Into::into).collect(),
            clock: Clock {
                wall_ms: clocks.wall_ms(),
                boot_ms: clocks.boot_ms(),
                tpm: self.chip.clock(),
            },
            statements: statements(store, selftest),
            digests: Vec::new(),
        };
        let evidence = self.chip.ask(move |chip| complete(chip, body, asked))?;
        Ok(evidence.to_bytes())
    }

    /// The file with which an auditor enrols this appliance.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn enrolment(&self, store: &Store) -> Result<Vec<u8>, EvidenceError> {
        let firmware_log = Hash::of(&read_log(&self.firmware_log)?);
        let audit_key = store.audit_key().to_bytes();
        let audit_origin = store.checkpoint().checkpoint.origin.clone();
        let request = self.chip.ask(move |chip| {
            let identity = identity(chip)?;
            let ak = chip
                .tpm
                .attestation_key()
                .map_err(|e| ChipError::command("making the attestation key", &e))?;
            let values = chip
                .tpm
                .pcrs(&[0, 1, 2, 3, 4, 5, 6, 7])
                .map_err(|e| ChipError::command("reading the PCRs", &e))?;
            let mut pcrs = [Hash::ZERO; 8];
            for (slot, (_, value)) in pcrs.iter_mut().zip(values) {
                *slot = Hash::new(value);
            }
            Ok(EnrolmentRequest::new(Appliance {
                ek_public: identity.ek_public,
                ek_certificate: identity.ek_certificate,
                ak_public: ak.public(),
                pcrs,
                firmware_log,
                floor_name: sealing::floor_name(),
                audit_origin,
                audit_key,
            }))
        })?;
        Ok(request.to_bytes())
    }

    /// The challenge, if there is one; its credential must be for this TPM.
    fn check_challenge(&self, bytes: &[u8]) -> Result<Option<Challenge>, EvidenceError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let challenge =
            Challenge::from_bytes(bytes).map_err(|e| EvidenceError::Challenge(e.to_string()))?;
        if !challenge.credential.is_empty() {
            let ours = self
                .chip
                .ask(|chip| Ok(enrolment_id(&identity(chip)?.ek_public)))?;
            if ours != challenge.enrolment {
                let theirs = challenge.enrolment;
                return Err(EvidenceError::Challenge(format!(
                    "its credential is for enrolment {theirs}, this appliance is {ours}"
                )));
            }
        }
        Ok(Some(challenge))
    }
}

/// The TPM's part: keys, activation, the log key's certificate, clock, quote.
fn complete(
    chip: &Chip,
    mut body: Body,
    challenge: Option<Challenge>,
) -> Result<Evidence, ChipError> {
    let identity = identity(chip)?;
    let ak = chip
        .tpm
        .attestation_key()
        .map_err(|e| ChipError::command("making the attestation key", &e))?;
    body.enrolment = enrolment_id(&identity.ek_public);
    body.ek_public = identity.ek_public;
    body.ek_certificate = identity.ek_certificate;
    body.ak_public = ak.public();
    if let Some(challenge) = challenge.filter(|challenge| !challenge.credential.is_empty()) {
        body.activation = ak
            .activate(&challenge.credential, &challenge.encrypted_secret)
            .map_err(|e| ChipError::command("opening the challenge's credential", &e))?;
    }
    let qualifying = log_key_qualifying(&body.enrolment);
    let (attest, signature) = ak
        .certify(&chip.log_key, &chip.log_auth, &qualifying)
        .map_err(|e| ChipError::command("certifying the log key", &e))?;
    body.log_key = LogKey {
        public: chip.log_key.public(),
        attest,
        signature,
    };
    body.clock.tpm = chip
        .tpm
        .clock()
        .map_err(|e| ChipError::command("reading the clock", &e))?
        .clock;
    let body = body.sealed();
    let quote = ak
        .quote(&body.qualifying())
        .map_err(|e| ChipError::command("quoting the PCRs", &e))?;
    Ok(Evidence::new(body, vec![quote]))
}

fn identity(chip: &Chip) -> Result<Identity, ChipError> {
    Ok(Identity {
        ek_public: chip
            .tpm
            .ek_public()
            .map_err(|e| ChipError::command("making the endorsement key", &e))?,
        ek_certificate: chip
            .tpm
            .ek_certificate()
            .map_err(|e| ChipError::command("reading the EK certificate", &e))?
            .unwrap_or_default(),
    })
}

fn audit_head(store: &Store, anchored: Anchored) -> AuditHead {
    AuditHead {
        note: anchored.signed.note.into_bytes(),
        key: store.audit_key().to_bytes(),
        cosigned_ms: anchored.wall_ms,
        cosignature: anchored.cosignature,
    }
}

/// The signed lists of files: of one job, or of the newest jobs.
fn manifests(store: &Store, job: Option<JobId>) -> Result<Vec<Vec<u8>>, EvidenceError> {
    let state = |row: &JobRow| row.manifest.map(|(artifact, _)| artifact);
    let wanted = match job {
        Some(id) => {
            let row = store.index().job(id).map_err(JobError::from)?;
            let row = row.ok_or(JobError::NoJob(id))?;
            state(&row).into_iter().collect()
        }
        None => {
            let rows = store.index().jobs().map_err(JobError::from)?;
            let mut newest: Vec<_> = rows.iter().rev().filter_map(state).collect();
            newest.truncate(MAX_MANIFESTS);
            newest
        }
    };
    let mut left = MAX_MANIFEST_BYTES;
    let mut manifests = Vec::with_capacity(wanted.len());
    for artifact in wanted {
        let Some(rest) = left.checked_sub(artifact.size) else {
            break;
        };
        left = rest;
        let reader = store.artifact_reader(artifact).map_err(JobError::from)?;
        manifests.push(
            reader
                .read_all(MAX_MANIFEST_BYTES)
                .map_err(JobError::from)?,
        );
    }
    Ok(manifests)
}

fn read_log(path: &PathBuf) -> Result<Vec<u8>, EvidenceError> {
    let failed = |source| EvidenceError::Log {
        path: path.display().to_string(),
        source,
    };
    let limit = u64::try_from(MAX_LOG).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > MAX_LOG {
        return Err(failed(std::io::Error::other(format!(
            "over {MAX_LOG} bytes"
        ))));
    }
    Ok(bytes)
}

/// What the appliance says of itself; nobody checks it. `selftest` is of the agentd
/// that is connected.
fn statements(store: &Store, selftest: Option<Digest>) -> Vec<Statement> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let of = |name: &str, value: &str| Statement {
        name: name.to_owned(),
        value: value.trim().to_owned(),
    };
    let selftest = selftest.map_or_else(|| "no agentd".to_owned(), |digest| digest.to_string());
    vec![
        of("agentd.selftest", &selftest),
        of("appliance", &store.appliance().to_string()),
        of("kernel", &kernel),
        of("version", env!("CARGO_PKG_VERSION")),
    ]
}
