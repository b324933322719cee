//! The storage root key: what sessions are salted with and the root is sealed under.

use crate::connection::{Authority, TpmError};
use crate::number::{SESSION_CONTINUE, SESSION_DECRYPT, SESSION_ENCRYPT, SRK_HANDLE};
use crate::object::point;
use crate::session::{Kind, SaltKey, Session};
use crate::tpm::Tpm;
use crate::wire::Malformed;

/// Why a persistent key is not the expected one.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// None there: another TPM, or one that was cleared.
    #[error("this TPM does not hold the keys of this appliance")]
    Absent,
    /// Another key is there: another TPM, or something between us and it.
    #[error("this TPM holds the key {found}, the state was made with {expected}")]
    Other {
        /// Name stored at provisioning, hexadecimal.
        expected: String,
        /// Name computed from what the TPM returned, hexadecimal.
        found: String,
    },
    /// The TPM did not answer usefully.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// The storage root key, its Name equal to the expected one. Only that check makes it
/// (and provisioning, which has nothing to compare with).
#[derive(Debug, Clone)]
pub struct StorageRoot {
    tpm: Tpm,
    pub(crate) key: SaltKey,
}

/// `TPMA_SESSION` for a session that hides both directions.
pub(crate) const HIDDEN: u8 = SESSION_CONTINUE | SESSION_DECRYPT | SESSION_ENCRYPT;
/// For a command whose first parameter and answer hold no buffer: integrity only.
pub(crate) const SIGNED: u8 = SESSION_CONTINUE;
/// For a command with a secret first parameter and an answer without a buffer.
pub(crate) const HIDDEN_IN: u8 = SESSION_CONTINUE | SESSION_DECRYPT;
/// For a command whose answer begins with a buffer and whose parameters do not.
pub(crate) const HIDDEN_OUT: u8 = SESSION_CONTINUE | SESSION_ENCRYPT;

impl Tpm {
    /// Looks up the storage root key and compares its Name, computed here from the public
    /// area, with `expected`.
    ///
    /// # Errors
    /// [`StorageError`] when there is none or it is another.
    pub fn storage_root(&self, expected: &[u8]) -> Result<StorageRoot, StorageError> {
        let root = self.storage_root_unchecked()?.ok_or(StorageError::Absent)?;
        if root.key.entity.name != expected {
            return Err(StorageError::Other {
                expected: hex::encode(expected),
                found: hex::encode(&root.key.entity.name),
            });
        }
        Ok(root)
    }

    /// For provisioning: nothing is known yet that the key could be compared with.
    pub(crate) fn storage_root_unchecked(&self) -> Result<Option<StorageRoot>, TpmError> {
        let (entity, public) = match self.connection.read_public(SRK_HANDLE) {
            Err(error) if error.code().is_some_and(|code| code.is_handle()) => return Ok(None),
            other => other?,
        };
        let point = point(&public).map_err(|Malformed| TpmError::Malformed {
            command: "TPM2_ReadPublic",
        })?;
        Ok(Some(StorageRoot {
            tpm: self.clone(),
            key: SaltKey { entity, point },
        }))
    }
}

impl StorageRoot {
    /// The key's Name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.key.entity.name
    }

    pub(crate) fn tpm(&self) -> &Tpm {
        &self.tpm
    }

    /// A session that only this TPM can follow.
    pub(crate) fn session(&self, kind: Kind) -> Result<Session, TpmError> {
        Session::start(&self.tpm.connection, &self.key, kind)
    }

    /// Runs `command` under one fresh HMAC session that knows `auth`.
    pub(crate) fn authorised<T>(
        &self,
        auth: &[u8],
        attributes: u8,
        command: impl FnOnce(Authority<'_>) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let mut session = self.session(Kind::Hmac)?;
        command(Authority::Session {
            session: &mut session,
            auth,
            attributes,
        })
    }
}
