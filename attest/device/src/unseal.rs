//! `unseal open`: only the TPM's yes gives the root.
//!
//! The order is the security property. The root leaves the TPM under its policy;
//! before anything is derived from it PCR 15 is extended, so that the same TPM
//! refuses a second time until it is reset.

use std::path::Path;

use casemate_attest::digest::Digest;
use casemate_attest::release::{Release, ReleaseError};
use casemate_attest::sealing;
use p256::ecdsa::VerifyingKey;

use crate::approval::SiteApproval;
use crate::connection::{Authority, Command, TpmError};
use crate::handover::{Facts, Handover};
use crate::measure::{MeasureError, RuntimeLog};
use crate::number::cc;
use crate::object::Transient;
use crate::record::{RecordError, RootRecord};
use crate::recovery::{self, RecoveryKey, RecoveryRecord};
use crate::root::{ApplianceRoot, VolumeKey};
use crate::session::{Kind, Session};
use crate::storage::{HIDDEN, HIDDEN_IN, HIDDEN_OUT, StorageError, StorageRoot};
use crate::tpm::{Permanent, Tpm};

/// Why the root was not opened.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The record of the sealed root cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The release manifest is not the release key's word.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A key in the record is not a P-256 point.
    #[error("the record's {which} key is not a point of P-256")]
    Key {
        /// `release` or `site`.
        which: &'static str,
    },
    /// Another TPM, or a cleared one.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The sealed object does not belong to this TPM.
    #[error("the sealed root was not made by this TPM, or was edited")]
    Foreign,
    /// PCR 15 is not zero: opened already in this boot.
    #[error("the root was opened already since this TPM was reset (PCR 15 holds {found})")]
    Latched {
        /// What PCR 15 holds.
        found: Digest,
    },
    /// A register has another value than the policy asks for.
    #[error("the TPM refused: PCR {register} holds {found}, the policy asks for {expected}")]
    Register {
        /// The register.
        register: u8,
        /// As sealed to.
        expected: Digest,
        /// What it holds.
        found: Digest,
    },
    /// The release is older than the floor.
    #[error("the TPM refused: release {release} is below the version floor {floor}")]
    Floor {
        /// This release's number.
        release: u64,
        /// The floor.
        floor: u64,
    },
    /// The floor index is missing or another.
    #[error("the version floor is missing from this TPM, or is not as it was defined")]
    FloorIndex,
    /// Refused for a reason that the registers and the floor do not show.
    #[error("the TPM refused the policy although registers and floor agree: {0}")]
    Policy(#[source] TpmError),
    /// Dictionary-attack lockout.
    #[error("{}", .0.lockout_words())]
    Lockout(Permanent),
    /// The opening could not be measured.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The TPM did not answer usefully.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// What `unseal open` is given.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The state's TPM directory, which holds `root.cbor`.
    pub state: &'a Path,
    /// The signed manifest of the release that runs.
    pub release: &'a [u8],
    /// Where run-time measurements are logged.
    pub runtime_log: &'a Path,
    /// Raise the version floor to this release once it is open.
    pub raise_floor: bool,
}

/// Opens the root and derives what the daemon needs of it.
///
/// # Errors
/// [`UnsealError`]. Once the root left the TPM an error leaves PCR 15 extended: only a machine that
/// is reset opens again.
pub fn open(tpm: &Tpm, opening: Opening<'_>) -> Result<Handover, UnsealError> {
    open_whole(tpm, opening).map(|opened| opened.handover)
}

/// What an initrd gets: the daemon has the handover alone.
#[derive(Debug)]
pub struct Opened {
    /// For the daemon.
    pub handover: Handover,
    /// Of the state volume.
    pub volume: VolumeKey,
    root: ApplianceRoot,
}

impl Opened {
    /// A new recovery key, unless one was proven by typing it back: from then on the record in
    /// `state` opens by this key, and by no earlier one.
    ///
    /// # Errors
    /// [`UnsealError::Record`], or [`UnsealError::Tpm`] without random numbers.
    pub fn new_recovery_key(&self, state: &Path) -> Result<Option<RecoveryKey>, UnsealError> {
        if recovery::is_proven(state) {
            return Ok(None);
        }
        let (key, record) = RecoveryRecord::make(&self.root, self.handover.epoch)?;
        record.keep(state)?;
        Ok(Some(key))
    }
}

/// The same, and what only an initrd may have.
///
/// # Errors
/// As [`open`].
pub fn open_whole(tpm: &Tpm, opening: Opening<'_>) -> Result<Opened, UnsealError> {
    let record = RootRecord::read(&RootRecord::path(opening.state))?;
    let release_key = key(&record.release_key, "release")?;
    let release = Release::verify(opening.release, &release_key)?;
    // 1. The storage root key is the one sealed under, before any salt is sent to it.
    let storage = tpm.storage_root(&record.srk_name)?;
    // 2. What can fail before the root leaves the TPM fails here: the log can be written to.
    let log = RuntimeLog::at(opening.runtime_log);
    let log = log.to_append()?;
    // 3. The TPM judges the policy. What we think of the registers decides nothing.
    let root = unseal(&storage, &record, &release)?;
    // 4. The latch before all else: PCR 15 is no longer zero, whatever fails from here on.
    log.measure_first(
        tpm,
        15,
        sealing::EV_EVENT_TAG,
        &sealing::unseal_event(release.number),
    )?;
    // 5. Only now may older releases be shut out, and keys be derived.
    if opening.raise_floor {
        raise_floor(&storage, &root, release.number)?;
    }
    let facts = Facts {
        epoch: record.epoch,
        srk_name: record.srk_name.clone(),
        log_key_name: record.log_key_name.clone(),
        release: release.number,
        floor: storage.floor()?,
        development: release.development,
        recovered_at: record.recovered_at(&root),
    };
    Ok(Opened {
        handover: Handover::derive(&root, facts),
        volume: root.volume_key(record.epoch),
        root,
    })
}

pub(crate) fn key(sec1: &[u8; 65], which: &'static str) -> Result<VerifyingKey, UnsealError> {
    VerifyingKey::from_sec1_bytes(sec1).map_err(|_| UnsealError::Key { which })
}

/// The key as the TPM is shown it; its Name is inside the policy.
pub(crate) fn signer_public(key: &VerifyingKey) -> Vec<u8> {
    let point = key.to_encoded_point(false);
    let coordinate = |part: Option<&p256::FieldBytes>| part.copied().unwrap_or_default().into();
    sealing::signer_public(&coordinate(point.x()), &coordinate(point.y()))
}

/// Asks the TPM for the root under branch A, then under branch B if the site approved a change.
pub(crate) fn unseal(
    storage: &StorageRoot,
    record: &RootRecord,
    release: &Release,
) -> Result<ApplianceRoot, UnsealError> {
    let first = release_session(storage, record, release);
    let session = match (first, &record.site_approval) {
        (Err(Refusal::Tpm(_)), Some(approval)) => site_session(storage, record, approval),
        (other, _) => other,
    };
    let session = session.map_err(|refusal| explain(storage, record, release, refusal))?;
    let object = load(storage, record)?;
    take_out(storage, &object, session)
        .map_err(|error| explain(storage, record, release, Refusal::Tpm(error)))
}

/// A policy session was refused by the TPM, or could not be asked for.
#[derive(Debug)]
enum Refusal {
    Tpm(TpmError),
    Own(UnsealError),
}

impl From<TpmError> for Refusal {
    fn from(error: TpmError) -> Self {
        Self::Tpm(error)
    }
}

/// Branch A (docs/formats/tpm.md): an approved release, then PCR 7 and 15.
fn release_session(
    storage: &StorageRoot,
    record: &RootRecord,
    release: &Release,
) -> Result<Session, Refusal> {
    let connection = &storage.tpm().connection;
    let session = storage.session(Kind::Policy)?;
    let pcr11 = *release.initrd_pcr11.as_bytes();
    connection.policy_pcr(&session, &[(11, pcr11)])?;
    connection.policy_nv_at_most(&session, &crate::nv::floor(true), release.number)?;
    let approved = sealing::release_approved(pcr11, release.number);
    let signature = &release.pcr_policy_signature;
    let key = key(&record.release_key, "release").map_err(Refusal::Own)?;
    authorise(
        storage,
        &session,
        &key,
        &approved,
        sealing::RELEASE_REF,
        signature,
    )?;
    let pcr7 = *record.enrolled_value(7).as_bytes();
    connection.policy_pcr(&session, &sealing::with_untouched(&[(7, pcr7)]))?;
    close(storage, record, session)
}

/// Branch B: registers and version that the site key approved.
fn site_session(
    storage: &StorageRoot,
    record: &RootRecord,
    approval: &SiteApproval,
) -> Result<Session, Refusal> {
    let connection = &storage.tpm().connection;
    let session = storage.session(Kind::Policy)?;
    let (pcr7, pcr11) = (*approval.pcr7.as_bytes(), *approval.pcr11.as_bytes());
    let registers = sealing::with_untouched(&[(7, pcr7), (11, pcr11)]);
    connection.policy_pcr(&session, &registers)?;
    connection.policy_nv_at_most(&session, &crate::nv::floor(true), approval.number)?;
    let approved = sealing::site_approved(pcr7, pcr11, approval.number);
    let key = key(&record.site_key, "site").map_err(Refusal::Own)?;
    authorise(
        storage,
        &session,
        &key,
        &approved,
        sealing::SITE_REF,
        &approval.signature,
    )?;
    close(storage, record, session)
}

fn authorise(
    storage: &StorageRoot,
    session: &Session,
    key: &VerifyingKey,
    approved: &[u8; 32],
    reference: &[u8],
    signature: &[u8; 64],
) -> Result<(), TpmError> {
    let connection = &storage.tpm().connection;
    let signer = connection.load_public(&signer_public(key))?;
    let hash = sealing::authorization_hash(approved, reference);
    let ticket = connection.verify_signature(&signer.entity, &hash, signature)?;
    connection.policy_authorize(session, approved, reference, &signer.entity.name, &ticket)
}

fn close(storage: &StorageRoot, record: &RootRecord, session: Session) -> Result<Session, Refusal> {
    let branches = [
        record.release_branch.as_bytes(),
        record.site_branch.as_bytes(),
    ];
    storage.tpm().connection.policy_or(&session, branches)?;
    Ok(session)
}

fn load(storage: &StorageRoot, record: &RootRecord) -> Result<Transient, UnsealError> {
    let connection = &storage.tpm().connection;
    connection
        .load(&storage.key.entity, &record.public, &record.private)
        .map_err(|error| match error.code() {
            Some(code) if code.is_integrity() => UnsealError::Foreign,
            _ => UnsealError::Tpm(error),
        })
}

/// `TPM2_Unseal`; the policy session's key encrypts the answer.
fn take_out(
    storage: &StorageRoot,
    object: &Transient,
    mut session: Session,
) -> Result<ApplianceRoot, TpmError> {
    let name = "TPM2_Unseal";
    let answer = storage.tpm().connection.run_with(
        Command {
            code: cc::UNSEAL,
            name,
            handles: &[&object.entity],
            parameters: Vec::new(),
        },
        &mut [Authority::Session {
            session: &mut session,
            auth: &[],
            attributes: HIDDEN_OUT,
        }],
    )?;
    let parameters = zeroize::Zeroizing::new(answer.parameters);
    let mut take = crate::wire::Take(&parameters);
    take.sized()
        .ok()
        .and_then(ApplianceRoot::from_unsealed)
        .ok_or(TpmError::Malformed { command: name })
}

/// After a refusal: says which register or the floor is why. Explains only; the TPM decided.
fn explain(
    storage: &StorageRoot,
    record: &RootRecord,
    release: &Release,
    refusal: Refusal,
) -> UnsealError {
    let error = match refusal {
        Refusal::Own(error) => return error,
        Refusal::Tpm(error) => error,
    };
    let tpm = storage.tpm();
    let Some(code) = error.code() else {
        return UnsealError::Tpm(error);
    };
    if code.is_lockout() {
        return tpm
            .permanent()
            .map_or_else(UnsealError::Tpm, UnsealError::Lockout);
    }
    let values = match tpm.pcrs(&[7, 11, 12, 13, 15]) {
        Ok(values) => values,
        Err(error) => return UnsealError::Tpm(error),
    };
    let expected = |register| match register {
        11 => release.initrd_pcr11,
        untouched if sealing::UNTOUCHED.contains(&untouched) => Digest::ZERO,
        other => record.enrolled_value(other),
    };
    // The latch first: after an opening it is the reason, whatever else changed.
    for (register, value) in values.into_iter().rev() {
        let (found, expected) = (Digest::new(value), expected(register));
        if register == 15 && found != Digest::ZERO {
            return UnsealError::Latched { found };
        }
        if found != expected {
            return UnsealError::Register {
                register,
                expected,
                found,
            };
        }
    }
    match storage.floor() {
        Ok(floor) if floor > release.number => UnsealError::Floor {
            release: release.number,
            floor,
        },
        Ok(_) => UnsealError::Policy(error),
        Err(TpmError::Refused { .. }) => UnsealError::FloorIndex,
        Err(other) => UnsealError::Tpm(other),
    }
}

/// Writes the floor, unless it is that high already. The owner authorisation, which the write
/// policy asks for, comes from the root and never leaves this program.
fn raise_floor(
    storage: &StorageRoot,
    root: &ApplianceRoot,
    number: u64,
) -> Result<(), UnsealError> {
    if storage.floor()? >= number {
        return Ok(());
    }
    write_floor(storage, &root.owner_auth().0, true, number).map_err(UnsealError::Tpm)
}

/// `TPM2_NV_Write` of the floor under its policy: PolicySecret(owner), PolicyCommandCode.
pub(crate) fn write_floor(
    storage: &StorageRoot,
    owner: &[u8],
    written: bool,
    number: u64,
) -> Result<(), TpmError> {
    let connection = &storage.tpm().connection;
    let mut policy = storage.session(Kind::Policy)?;
    let hierarchy = Tpm::hierarchy(crate::number::RH_OWNER);
    storage.authorised(owner, HIDDEN, |authority| {
        connection.policy_secret(&policy, &hierarchy, authority)
    })?;
    connection.policy_command_code(&policy, cc::NV_WRITE)?;
    let authority = Authority::Session {
        session: &mut policy,
        auth: &[],
        attributes: HIDDEN_IN,
    };
    connection.nv_write(authority, &crate::nv::floor(written), &number.to_be_bytes())
}
