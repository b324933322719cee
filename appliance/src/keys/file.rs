//! One wrapped key in one file. Format: docs/formats/journal.md, "Keys".

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use casemate_protocol::id::TenantId;
use zeroize::Zeroizing;

use super::derive::ApplianceId;
use super::seal::{NONCE, Sealer};
use super::{EPOCH, Key, KeyError, SubjectId, random};
use crate::store::durable;

const MAGIC: &[u8; 16] = b"casemate-keyfile";
const FORMAT: u32 = 1;
const ALGORITHM: u32 = 1;
/// Magic, format, algorithm, epoch, kind, tenant.
const HEAD: usize = 16 + 4 + 4 + 4 + 1 + 16;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wraps the subject keys of a tenant.
    Tenant,
    /// Seals a subject's entries and files.
    Subject,
    /// Signs checkpoints and manifests; the seed of an Ed25519 key.
    AuditSigning,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Tenant => 1,
            Self::Subject => 2,
            Self::AuditSigning => 3,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Tenant),
            2 => Some(Self::Subject),
            3 => Some(Self::AuditSigning),
            _ => None,
        }
    }
}

/// A key file as read, not yet unwrapped.
#[derive(Debug)]
pub struct Wrapped {
    /// File name.
    pub name: String,
    /// What the key is said to be for.
    pub kind: Kind,
    /// Whose it is said to be.
    pub tenant: TenantId,
    head: [u8; HEAD],
    nonce: [u8; NONCE],
    sealed: Vec<u8>,
}

/// Wraps `key` and puts it durably into `dir`; gives the file's name.
///
/// # Errors
/// [`KeyError::Random`] or [`KeyError::Io`].
pub fn write(
    dir: &Path,
    appliance: ApplianceId,
    wrapper: &Sealer,
    kind: Kind,
    (tenant, subject): (TenantId, SubjectId),
    key: &Key,
) -> Result<String, KeyError> {
    let name = hex::encode(random::<16>()?);
    let mut file = Vec::with_capacity(160);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&FORMAT.to_be_bytes());
    file.extend_from_slice(&ALGORITHM.to_be_bytes());
    file.extend_from_slice(&EPOCH.to_be_bytes());
    file.push(kind.number());
    file.extend_from_slice(&tenant.0);
    let mut plain = Zeroizing::new(Vec::with_capacity(48));
    plain.extend_from_slice(&subject.0);
    plain.extend_from_slice(key.bytes());
    let (nonce, sealed) = wrapper.seal(&aad(&file, appliance, &name), &plain)?;
    file.extend_from_slice(&nonce);
    file.extend_from_slice(&sealed);
    durable::put(dir, &name, &file).map_err(|source| KeyError::Io {
        path: dir.join(&name).display().to_string(),
        source,
    })?;
    Ok(name)
}

/// Reads a key file; `None` for one whose erasure was cut off, which is then completed.
///
/// # Errors
/// [`KeyError::Io`], or [`KeyError::Damaged`] for what is no key file of this format.
pub fn read(dir: &Path, name: &str) -> Result<Option<Wrapped>, KeyError> {
    let path = dir.join(name);
    let bytes = std::fs::read(&path).map_err(|source| KeyError::Io {
        path: path.display().to_string(),
        source,
    })?;
    if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
        return erase(dir, name).map(|()| None);
    }
    let damaged = |reason| KeyError::Damaged {
        name: name.to_owned(),
        reason,
    };
    let (head, rest) = bytes
        .split_first_chunk::<HEAD>()
        .ok_or_else(|| damaged("it is too short"))?;
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE>()
        .ok_or_else(|| damaged("it is too short"))?;
    let (magic, rest) = head.split_at(16);
    let (numbers, rest) = rest.split_at(12);
    let expected = [FORMAT, ALGORITHM, EPOCH].map(u32::to_be_bytes).concat();
    if magic != MAGIC || numbers != expected {
        return Err(damaged("its format, algorithm or epoch is unknown"));
    }
    let (kind, tenant) = rest
        .split_first()
        .ok_or_else(|| damaged("it is too short"))?;
    let kind = Kind::from_number(*kind).ok_or_else(|| damaged("its kind is unknown"))?;
    let tenant = tenant.try_into().map_err(|_| damaged("it is too short"))?;
    Ok(Some(Wrapped {
        name: name.to_owned(),
        kind,
        tenant: TenantId(tenant),
        head: *head,
        nonce: *nonce,
        sealed: sealed.to_vec(),
    }))
}

impl Wrapped {
    /// Unwraps the key; gives the subject it belongs to.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] if the file or its name was changed, or `wrapper` is another key.
    pub fn open(
        &self,
        appliance: ApplianceId,
        wrapper: &Sealer,
    ) -> Result<(SubjectId, Key), KeyError> {
        let damaged = || KeyError::Damaged {
            name: self.name.clone(),
            reason: "it does not open",
        };
        let plain = wrapper
            .open(
                &self.nonce,
                &aad(&self.head, appliance, &self.name),
                &self.sealed,
            )
            .map_err(|_| damaged())?;
        let plain = Zeroizing::new(plain);
        let (subject, key) = plain.split_first_chunk::<16>().ok_or_else(damaged)?;
        let key: [u8; 32] = key.try_into().map_err(|_| damaged())?;
        Ok((SubjectId(*subject), Key::new(key)))
    }
}

/// Destroys a key file: zeros over it, synced, then its name. One that is gone is fine.
///
/// # Errors
/// [`KeyError::Io`]; the next start tries again.
pub fn erase(dir: &Path, name: &str) -> Result<(), KeyError> {
    let path = dir.join(name);
    let erased = || -> std::io::Result<()> {
        let mut file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let length = usize::try_from(file.metadata()?.len())
            .unwrap_or(4096)
            .min(4096);
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
        std::fs::remove_file(&path)?;
        durable::sync_directory(dir)
    };
    erased().map_err(|source| KeyError::Io {
        path: path.display().to_string(),
        source,
    })
}

fn aad(head: &[u8], appliance: ApplianceId, name: &str) -> Vec<u8> {
    [head, &appliance.0, name.as_bytes()].concat()
}
