//! All keys of an open state, unwrapped in memory.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use casemate_protocol::id::TenantId;
use ed25519_dalek::SigningKey;

use super::derive::ApplianceId;
use super::file::{self, Kind, Wrapped};
use super::seal::Sealer;
use super::{EPOCH, Kek, Key, KeyError, SubjectId};
use crate::store::durable;

/// A subject's key with whose it is.
#[derive(Debug, Clone)]
pub struct SubjectKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The key.
    pub key: Key,
    name: String,
}

/// Every key of the state.
#[derive(Debug)]
pub struct Keyring {
    dir: PathBuf,
    appliance: ApplianceId,
    wrapper: Sealer,
    tenants: HashMap<TenantId, Sealer>,
    subjects: HashMap<SubjectId, SubjectKey>,
    signing: SigningKey,
}

impl Keyring {
    /// Makes the keys of a new state: the audit key, and those of tenant and subject `system`.
    ///
    /// # Errors
    /// [`KeyError`] from the kernel or the disk.
    pub fn create(dir: &Path, appliance: ApplianceId, kek: &Kek) -> Result<Self, KeyError> {
        let seed = Key::random()?;
        let mut ring = Self {
            dir: dir.to_owned(),
            appliance,
            wrapper: Sealer::new(&kek.wrap(appliance, EPOCH)),
            tenants: HashMap::new(),
            subjects: HashMap::new(),
            signing: SigningKey::from_bytes(seed.bytes()),
        };
        let system = (TenantId::SYSTEM, SubjectId::SYSTEM);
        file::write(
            dir,
            appliance,
            &ring.wrapper,
            Kind::AuditSigning,
            system,
            &seed,
        )?;
        ring.create_subject(TenantId::SYSTEM, SubjectId::SYSTEM)?;
        Ok(ring)
    }

    /// Reads all keys.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] names the file that is not what was written; a missing key of the
    /// appliance itself is damage too.
    pub fn open(dir: &Path, appliance: ApplianceId, kek: &Kek) -> Result<Self, KeyError> {
        let wrapper = Sealer::new(&kek.wrap(appliance, EPOCH));
        let (mut tenants, mut subjects) = (HashMap::new(), HashMap::new());
        let mut signing = None;
        let mut inner: Vec<Wrapped> = Vec::new();
        for name in names(dir)? {
            let Some(wrapped) = file::read(dir, &name)? else {
                continue;
            };
            match wrapped.kind {
                Kind::Tenant => {
                    let (_, key) = wrapped.open(appliance, &wrapper)?;
                    tenants.insert(wrapped.tenant, Sealer::new(&key));
                }
                Kind::AuditSigning => {
                    let (_, seed) = wrapped.open(appliance, &wrapper)?;
                    signing = Some(SigningKey::from_bytes(seed.bytes()));
                }
                Kind::Subject => inner.push(wrapped),
            }
        }
        for wrapped in inner {
            let tenant = wrapped.tenant;
            let outer = tenants.get(&tenant).ok_or_else(|| KeyError::Damaged {
                name: wrapped.name.clone(),
                reason: "the key of its tenant is missing",
            })?;
            let (subject, key) = wrapped.open(appliance, outer)?;
            subjects.insert(
                subject,
                SubjectKey {
                    tenant,
                    key,
                    name: wrapped.name,
                },
            );
        }
        let missing = |reason| KeyError::Damaged {
            name: "(none)".to_owned(),
            reason,
        };
        let signing = signing.ok_or_else(|| missing("the audit signing key is missing"))?;
        if !subjects.contains_key(&SubjectId::SYSTEM) {
            return Err(missing("the appliance's own key is missing"));
        }
        Ok(Self {
            dir: dir.to_owned(),
            appliance,
            wrapper,
            tenants,
            subjects,
            signing,
        })
    }

    /// The key that signs checkpoints and manifests.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// A subject's key.
    pub fn subject(&self, subject: SubjectId) -> Option<&SubjectKey> {
        self.subjects.get(&subject)
    }

    /// Makes a subject's key, and its tenant's if that has none, durably.
    ///
    /// A key without its `KeyCreated` entry, left of a stop in between, does no harm: nothing is
    /// sealed under it.
    ///
    /// # Errors
    /// [`KeyError`] from the kernel or the disk.
    pub fn create_subject(&mut self, tenant: TenantId, subject: SubjectId) -> Result<(), KeyError> {
        if !self.tenants.contains_key(&tenant) {
            let key = Key::random()?;
            let owner = (tenant, SubjectId::SYSTEM);
            file::write(
                &self.dir,
                self.appliance,
                &self.wrapper,
                Kind::Tenant,
                owner,
                &key,
            )?;
            self.tenants.insert(tenant, Sealer::new(&key));
        }
        let Some(outer) = self.tenants.get(&tenant) else {
            return Err(KeyError::Sealed);
        };
        let key = Key::random()?;
        let owner = (tenant, subject);
        let name = file::write(&self.dir, self.appliance, outer, Kind::Subject, owner, &key)?;
        self.subjects
            .insert(subject, SubjectKey { tenant, key, name });
        Ok(())
    }

    /// Destroys a subject's key. One that is gone is fine.
    ///
    /// # Errors
    /// [`KeyError::System`], or [`KeyError::Io`]: the key is out of memory, its file may remain.
    pub fn erase(&mut self, subject: SubjectId) -> Result<(), KeyError> {
        if subject == SubjectId::SYSTEM {
            return Err(KeyError::System);
        }
        match self.subjects.remove(&subject) {
            Some(gone) => file::erase(&self.dir, &gone.name),
            None => Ok(()),
        }
    }
}

fn names(dir: &Path) -> Result<Vec<String>, KeyError> {
    let io = |source| KeyError::Io {
        path: dir.display().to_string(),
        source,
    };
    durable::sweep(dir).map_err(io)?;
    let mut names = Vec::new();
    for item in std::fs::read_dir(dir).map_err(io)? {
        let name = item.map_err(io)?.file_name();
        let name = OsStr::to_str(&name)
            .map(str::to_owned)
            .ok_or_else(|| KeyError::Damaged {
                name: name.to_string_lossy().into_owned(),
                reason: "its name is not one of ours",
            })?;
        names.push(name);
    }
    Ok(names)
}
