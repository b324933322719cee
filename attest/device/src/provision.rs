//! `unseal provision`: the first boot of an appliance on this TPM.
//!
//! Refuses a platform that would not keep what is sealed to it, then makes the
//! root, the NV indices and the keys, and takes ownership with random
//! authorisations. Interrupted at any point it can be run again: until
//! `root.cbor` has its final name nothing counts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use casemate_attest::digest::Digest;
use casemate_attest::enrolment::PcrValue;
use casemate_attest::release::{Release, ReleaseError};
use casemate_attest::sealing;
use p256::ecdsa::VerifyingKey;

use crate::connection::{Authority, TpmError};
use crate::firmware::{FirmwareError, FirmwareLog, check_measured};
use crate::number::{LOG_KEY_HANDLE, RH_LOCKOUT, RH_OWNER, SRK_HANDLE};
use crate::nv;
use crate::object::{log_template, root_template, srk_template};
use crate::record::{RecordError, Recovered, RootRecord, Sealed, sync_directory};
use crate::recovery::{RecoveryError, RecoveryKey, RecoveryRecord};
use crate::root::ApplianceRoot;
use crate::session::Kind;
use crate::storage::{HIDDEN, HIDDEN_IN, SIGNED, StorageRoot};
use crate::tpm::{Permanent, Tpm};
use crate::unseal::{UnsealError, signer_public, unseal, write_floor};

/// Why the appliance was not set up.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// It was set up before.
    #[error("{} exists: this appliance is set up", .0.display())]
    Exists(PathBuf),
    /// The release manifest is not the release key's word.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The platform cannot be sealed to.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// What booted is not this release.
    #[error("PCR 11 holds {found}, release {version} enters its initrd with {expected}")]
    OtherRelease {
        /// The release's version.
        version: String,
        /// The release's prediction.
        expected: Digest,
        /// What the TPM holds.
        found: Digest,
    },
    /// Something that is not in the signed image was loaded beside it.
    #[error("PCR {register} holds {found}: something was loaded beside the signed image")]
    Beside {
        /// 12 or 13.
        register: u8,
        /// What it holds.
        found: Digest,
    },
    /// PCR 15 is not zero.
    #[error("PCR 15 holds {found}: something was opened already since the TPM was reset")]
    Latched {
        /// What it holds.
        found: Digest,
    },
    /// Somebody owns this TPM.
    #[error("this TPM is owned already (owner authorisation set: {}, lockout: {})", .0.owner_set, .0.lockout_set)]
    Owned(Permanent),
    /// Between two attempts at the first boot somebody else set an authorisation.
    #[error(
        "the TPM's {hierarchy} authorisation is not this appliance's: somebody set it while the \
         first boot was interrupted"
    )]
    Foreign {
        /// `owner` or `lockout`.
        hierarchy: &'static str,
    },
    /// Dictionary-attack lockout.
    #[error("{}", .0.lockout_words())]
    Lockout(Permanent),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An interrupted first boot could not be continued.
    #[error("an interrupted first boot cannot be continued: {0}")]
    Resume(#[source] Box<UnsealError>),
    /// The recovery key does not give the root.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The TPM did not answer usefully.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// What `unseal provision` is given.
#[derive(Debug, Clone, Copy)]
pub struct Provisioning<'a> {
    /// The state's TPM directory; made if missing.
    pub state: &'a Path,
    /// The signed manifest of the release that runs.
    pub release: &'a [u8],
    /// The release key: the root opens to releases it signs.
    pub release_key: &'a VerifyingKey,
    /// The site key: the root opens to changes it approves.
    pub site_key: &'a VerifyingKey,
    /// The firmware's event log.
    pub firmware_log: &'a [u8],
}

/// Sets up the appliance on this TPM.
///
/// # Errors
/// [`ProvisionError`]; run again after the reason is gone.
pub fn provision(tpm: &Tpm, provisioning: Provisioning<'_>) -> Result<(), ProvisionError> {
    let path = RootRecord::path(provisioning.state);
    if path.exists() {
        return Err(ProvisionError::Exists(path));
    }
    let release = Release::verify(provisioning.release, provisioning.release_key)?;
    let pcr7 = check_platform(tpm, &release, provisioning.firmware_log)?;
    let part = path.with_extension("part");
    let owned = tpm.permanent()?;
    if owned.in_lockout {
        return Err(ProvisionError::Lockout(owned));
    }
    let root = match (owned.owner_set, owned.lockout_set) {
        (false, false) => {
            let root = ApplianceRoot::random()?;
            let fresh = Fresh {
                root: &root,
                epoch: 1,
                recovered: false,
            };
            seal_anew(tpm, provisioning, &release, pcr7, &part, fresh)?;
            root
        }
        // Interrupted after the owner authorisation was set: the record is complete, open it.
        (true, _) if part.exists() => resume(tpm, &release, &part)?,
        // Lockout is the last that we set: alone it is somebody else's.
        _ => return Err(ProvisionError::Owned(owned)),
    };
    take_ownership(tpm, &root, owned)?;
    finish(&part, &path)
}

/// Seals the root again, which a recovery key gives: to this platform as it is now, on the TPM
/// that held it or on a fresh one. The next [`crate::open`] opens it.
///
/// # Errors
/// [`ProvisionError`]; run again after the reason is gone.
pub fn recover(
    tpm: &Tpm,
    provisioning: Provisioning<'_>,
    key: &RecoveryKey,
) -> Result<(), ProvisionError> {
    let path = RootRecord::path(provisioning.state);
    let release = Release::verify(provisioning.release, provisioning.release_key)?;
    let record = RecoveryRecord::read(provisioning.state)?;
    let root = record.open(key)?;
    let pcr7 = check_platform(tpm, &release, provisioning.firmware_log)?;
    let part = path.with_extension("part");
    let owned = tpm.permanent()?;
    match (owned.in_lockout, owned.owner_set, owned.lockout_set) {
        (true, ..) => return Err(ProvisionError::Lockout(owned)),
        (false, false, true) => return Err(ProvisionError::Owned(owned)),
        // On a fresh TPM all is made as at a first boot, but for the root. A run that was cut off
        // before the owner authorisation was set begins again here, a later one below.
        (false, false, false) => {
            let fresh = Fresh {
                root: &root,
                epoch: record.epoch,
                recovered: true,
            };
            seal_anew(tpm, provisioning, &release, pcr7, &part, fresh)?;
            take_ownership(tpm, &root, owned)?;
        }
        // Ours, or of somebody else: the TPM is asked before anything is changed. What it holds
        // besides the root stays, and with it the floor and the counter.
        (false, true, _) => {
            let storage = tpm.storage_root_unchecked()?;
            let storage = storage.ok_or(ProvisionError::Owned(owned))?;
            take_ownership(tpm, &root, owned)?;
            let (log_key, _) = tpm.connection.read_public(LOG_KEY_HANDLE)?;
            let kept = Kept {
                log_key_name: log_key.name.clone(),
                epoch: record.epoch,
                recovered: [&part, &path].into_iter().find_map(|file| {
                    let record = RootRecord::read(file).ok()?;
                    record
                        .recovered
                        .filter(|_| record.srk_name == storage.name())
                }),
            };
            seal(&storage, provisioning, &release, pcr7, &part, &root, kept)?;
        }
    }
    finish(&part, &path)
}

/// Secure Boot on, the log leads to the registers, they were measured into, and what booted is
/// the release. Returns PCR 7.
fn check_platform(
    tpm: &Tpm,
    release: &Release,
    firmware_log: &[u8],
) -> Result<Digest, ProvisionError> {
    let log = FirmwareLog::parse(firmware_log)?;
    let firmware = tpm.pcrs(&[0, 1, 2, 3, 4, 5, 6, 7])?;
    log.check_replay(&firmware)?;
    log.check_secure_boot()?;
    let sealed_to = tpm.pcrs(&[7, 11])?;
    check_measured(&sealed_to)?;
    let mut values = [Digest::ZERO; 2];
    for (slot, (_, value)) in values.iter_mut().zip(sealed_to) {
        *slot = Digest::new(value);
    }
    let [pcr7, pcr11] = values;
    if pcr11 != release.initrd_pcr11 {
        return Err(ProvisionError::OtherRelease {
            version: release.version.clone(),
            expected: release.initrd_pcr11,
            found: pcr11,
        });
    }
    for (register, value) in tpm.pcrs(&sealing::UNTOUCHED)? {
        let found = Digest::new(value);
        match (found == Digest::ZERO, register) {
            (true, _) => {}
            (false, 15) => return Err(ProvisionError::Latched { found }),
            (false, _) => return Err(ProvisionError::Beside { register, found }),
        }
    }
    Ok(pcr7)
}

/// What is brought to a TPM that holds nothing of ours.
struct Fresh<'a> {
    root: &'a ApplianceRoot,
    epoch: u64,
    recovered: bool,
}

/// Keys, NV indices and the sealed root, while the owner authorisation is still empty.
fn seal_anew(
    tpm: &Tpm,
    provisioning: Provisioning<'_>,
    release: &Release,
    pcr7: Digest,
    part: &Path,
    fresh: Fresh<'_>,
) -> Result<(), ProvisionError> {
    let root = fresh.root;
    let storage = make_storage_root(tpm)?;
    remove_leftovers(tpm)?;
    let log_key_name = make_log_key(&storage, root)?;
    define_indices(&storage, root, release.number)?;
    let recovered = match fresh.recovered {
        true => {
            let counter = storage.counter(&root.counter_auth())?;
            Some(Recovered::new(root, storage.name(), counter))
        }
        false => None,
    };
    let kept = Kept {
        log_key_name,
        epoch: fresh.epoch,
        recovered,
    };
    seal(&storage, provisioning, release, pcr7, part, root, kept)
}

/// What the record says besides what the root is sealed to.
struct Kept {
    log_key_name: Vec<u8>,
    epoch: u64,
    recovered: Option<Recovered>,
}

/// The root under its policy, and its record in `part`.
fn seal(
    storage: &StorageRoot,
    provisioning: Provisioning<'_>,
    release: &Release,
    pcr7: Digest,
    part: &Path,
    root: &ApplianceRoot,
    kept: Kept,
) -> Result<(), ProvisionError> {
    let connection = &storage.tpm().connection;
    let names = [provisioning.release_key, provisioning.site_key]
        .map(|key| sealing::name(&signer_public(key)));
    let [release_name, site_name] = names;
    let a = sealing::release_branch(&release_name, *pcr7.as_bytes());
    let b = sealing::site_branch(&site_name);
    let template = root_template(&sealing::Policy::or(a, b).digest());
    let (public, private) = storage.authorised(&[], HIDDEN_IN, |authority| {
        connection.seal(&storage.key.entity, authority, &template, root.bytes())
    })?;
    let enrolled = vec![
        PcrValue {
            pcr: 7,
            value: pcr7,
        },
        PcrValue {
            pcr: 11,
            value: release.initrd_pcr11,
        },
        PcrValue {
            pcr: 15,
            value: Digest::ZERO,
        },
    ];
    fs::create_dir_all(provisioning.state).map_err(|source| RecordError::File {
        path: provisioning.state.to_path_buf(),
        source,
    })?;
    RootRecord::new(Sealed {
        srk_name: storage.name().to_vec(),
        public,
        private,
        enrolled,
        release_key: sec1(provisioning.release_key),
        site_key: sec1(provisioning.site_key),
        branches: (Digest::new(a), Digest::new(b)),
        epoch: kept.epoch,
        log_key_name: kept.log_key_name,
        recovered: kept.recovered,
    })
    .write(part)?;
    Ok(())
}

fn sec1(key: &VerifyingKey) -> [u8; 65] {
    let mut out = [0; 65];
    let point = key.to_encoded_point(false);
    for (to, from) in out.iter_mut().zip(point.as_bytes()) {
        *to = *from;
    }
    out
}

/// The storage root key at its place, made there if the place is empty.
fn make_storage_root(tpm: &Tpm) -> Result<StorageRoot, TpmError> {
    if tpm.storage_root_unchecked()?.is_none() {
        let key =
            tpm.connection
                .create_primary(RH_OWNER, Authority::Empty, &srk_template(), &[])?;
        tpm.connection
            .evict(Authority::Empty, &key.entity, SRK_HANDLE)?;
    }
    tpm.storage_root_unchecked()?.ok_or(TpmError::Malformed {
        command: "TPM2_EvictControl",
    })
}

/// What an interrupted or hostile predecessor left while the owner authorisation was empty.
fn remove_leftovers(tpm: &Tpm) -> Result<(), TpmError> {
    for index in [sealing::FLOOR_INDEX, sealing::COUNTER_INDEX] {
        match tpm.connection.nv_read_public(index) {
            Ok((entity, _)) => tpm
                .connection
                .nv_undefine(RH_OWNER, Authority::Empty, &entity)?,
            Err(error) if error.code().is_some_and(|code| code.is_handle()) => {}
            Err(error) => return Err(error),
        }
    }
    match tpm.connection.read_public(LOG_KEY_HANDLE) {
        Ok((entity, _)) => tpm
            .connection
            .evict(Authority::Empty, &entity, LOG_KEY_HANDLE),
        Err(error) if error.code().is_some_and(|code| code.is_handle()) => Ok(()),
        Err(error) => Err(error),
    }
}

fn make_log_key(storage: &StorageRoot, root: &ApplianceRoot) -> Result<Vec<u8>, TpmError> {
    let connection = &storage.tpm().connection;
    let auth = root.log_auth();
    let key = storage.authorised(&[], HIDDEN_IN, |authority| {
        connection.create_primary(RH_OWNER, authority, &log_template(), &auth.0)
    })?;
    connection.evict(Authority::Empty, &key.entity, LOG_KEY_HANDLE)?;
    Ok(key.entity.name.clone())
}

/// The floor at this release's number; the counter with its first increment.
fn define_indices(
    storage: &StorageRoot,
    root: &ApplianceRoot,
    number: u64,
) -> Result<(), TpmError> {
    let connection = &storage.tpm().connection;
    let policy = sealing::floor_write_policy();
    let floor = sealing::nv_public(sealing::FLOOR_INDEX, sealing::FLOOR_ATTRIBUTES, &policy, 8);
    connection.nv_define(Authority::Empty, &[], &floor)?;
    write_floor(storage, &[], false, number)?;
    let counter = sealing::nv_public(sealing::COUNTER_INDEX, sealing::COUNTER_ATTRIBUTES, &[], 8);
    let auth = root.counter_auth();
    storage.authorised(&[], HIDDEN_IN, |authority| {
        connection.nv_define(authority, &auth.0, &counter)
    })?;
    storage.authorised(&auth.0, SIGNED, |authority| {
        connection.nv_increment(authority, &nv::counter(false))
    })
}

fn resume(tpm: &Tpm, release: &Release, part: &Path) -> Result<ApplianceRoot, ProvisionError> {
    let record = RootRecord::read(part)?;
    let resume = |error: UnsealError| ProvisionError::Resume(Box::new(error));
    let storage = tpm
        .storage_root(&record.srk_name)
        .map_err(|error| resume(error.into()))?;
    unseal(&storage, &record, release).map_err(resume)
}

/// Random owner and lockout authorisation, hidden from the bus. Owner first: until it is set
/// nothing counts, and a crash between the two is continued from the record. Then the TPM is asked
/// whether both are ours: one that was set already may be of whoever came between.
fn take_ownership(tpm: &Tpm, root: &ApplianceRoot, owned: Permanent) -> Result<(), ProvisionError> {
    let storage = tpm.storage_root_unchecked()?.ok_or(TpmError::Malformed {
        command: "TPM2_ReadPublic",
    })?;
    let hierarchies = [
        ("owner", RH_OWNER, root.owner_auth(), owned.owner_set),
        (
            "lockout",
            RH_LOCKOUT,
            root.lockout_auth(),
            owned.lockout_set,
        ),
    ];
    for (name, hierarchy, auth, set) in hierarchies {
        if !set {
            // The answer is authenticated with the *new* value (Part 3, 24.8.1).
            storage.take_hierarchy(hierarchy, &auth.0)?;
        }
        storage
            .prove_hierarchy(hierarchy, &auth.0)
            .map_err(|error| match error.code() {
                Some(code) if code.is_auth() => ProvisionError::Foreign { hierarchy: name },
                _ => ProvisionError::Tpm(error),
            })?;
    }
    Ok(())
}

fn finish(part: &Path, path: &Path) -> Result<(), ProvisionError> {
    let renamed: io::Result<()> = fs::rename(part, path).and_then(|()| sync_directory(path));
    renamed.map_err(|source| {
        RecordError::File {
            path: path.to_path_buf(),
            source,
        }
        .into()
    })
}

impl StorageRoot {
    fn take_hierarchy(&self, hierarchy: u32, new: &[u8]) -> Result<(), TpmError> {
        let mut session = self.session(Kind::Hmac)?;
        session.answer_auth(new);
        let authority = Authority::Session {
            session: &mut session,
            auth: &[],
            attributes: HIDDEN_IN,
        };
        self.tpm().connection.change_auth(hierarchy, authority, new)
    }

    /// `TPM2_PolicySecret`, into a policy session that nothing else uses: changes nothing, and
    /// takes the hierarchy's authorisation.
    fn prove_hierarchy(&self, hierarchy: u32, auth: &[u8]) -> Result<(), TpmError> {
        let policy = self.session(Kind::Policy)?;
        self.authorised(auth, HIDDEN, |authority| {
            let connection = &self.tpm().connection;
            connection.policy_secret(&policy, &Tpm::hierarchy(hierarchy), authority)
        })
    }
}
