//! The log key: cosigns audit checkpoints, is certified by the attestation key.
//!
//! It is unrestricted, so it could sign anything, a forged quote included: a
//! verifier never accepts it as a quote's key (its attributes say so).

use casemate_attest::tpm::signature::normalised;

use crate::connection::{Authority, Command, Entity, TpmError};
use crate::number::{ALG_NULL, LOG_KEY_HANDLE, RH_NULL, cc};
use crate::storage::{HIDDEN_IN, StorageError, StorageRoot};
use crate::tpm::Tpm;
use crate::wire::Put as _;

/// The log key's authorisation value, out of the handover.
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct LogAuth(pub(crate) [u8; 32]);

impl LogAuth {
    /// Takes the value that the handover carries.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for LogAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogAuth(..)")
    }
}

/// The persistent log key.
#[derive(Debug, Clone)]
pub struct LogKey {
    root: StorageRoot,
    pub(crate) entity: Entity,
    public: Vec<u8>,
}

impl StorageRoot {
    /// Finds the log key of this TPM and compares its Name with `expected`, the handover's.
    ///
    /// # Errors
    /// [`StorageError`] when there is none or it is another.
    pub fn log_key(&self, expected: &[u8]) -> Result<LogKey, StorageError> {
        let (entity, public) = match self.tpm().connection.read_public(LOG_KEY_HANDLE) {
            Err(error) if error.code().is_some_and(|code| code.is_handle()) => {
                return Err(StorageError::Absent);
            }
            other => other?,
        };
        if entity.name != expected {
            return Err(StorageError::Other {
                expected: hex::encode(expected),
                found: hex::encode(&entity.name),
            });
        }
        Ok(LogKey {
            root: self.clone(),
            entity,
            public,
        })
    }
}

impl LogKey {
    /// `TPM2B_PUBLIC`.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.sized(&self.public);
        out
    }

    /// The key's Name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.entity.name
    }

    /// Signs a SHA-256 digest; returns `TPMT_SIGNATURE` (ECDSA P-256 with SHA-256).
    ///
    /// # Errors
    /// [`TpmError`] when the authorisation is wrong or the TPM refuses.
    pub fn sign(&self, auth: &LogAuth, digest: &[u8; 32]) -> Result<Vec<u8>, TpmError> {
        let mut parameters = Vec::new();
        // An unrestricted key takes the null ticket: the digest is the caller's own.
        parameters
            .sized(digest)
            .u16(ALG_NULL)
            .u16(0x8024)
            .u32(RH_NULL)
            .sized(&[]);
        self.root
            .authorised(&auth.0, HIDDEN_IN, |authority| {
                self.tpm().connection.run_with(
                    Command {
                        code: cc::SIGN,
                        name: "TPM2_Sign",
                        handles: &[&self.entity],
                        parameters,
                    },
                    &mut [authority],
                )
            })
            .map(|answer| normalised(&answer.parameters))
    }

    pub(crate) fn tpm(&self) -> &Tpm {
        self.root.tpm()
    }

    /// `TPM2_Certify` of this key by the attestation key, over `qualifying`.
    /// Returns `TPMS_ATTEST` and `TPMT_SIGNATURE`.
    pub(crate) fn certify(
        &self,
        auth: &LogAuth,
        signer: &Entity,
        qualifying: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), TpmError> {
        let name = "TPM2_Certify";
        let mut parameters = Vec::new();
        parameters.sized(qualifying).u16(ALG_NULL);
        let mut session = self.root.session(crate::session::Kind::Hmac)?;
        let answer = self.tpm().connection.run_with(
            Command {
                code: cc::CERTIFY,
                name,
                handles: &[&self.entity, signer],
                parameters,
            },
            &mut [
                Authority::Session {
                    session: &mut session,
                    auth: &auth.0,
                    attributes: crate::storage::SIGNED,
                },
                Authority::Empty,
            ],
        )?;
        let mut take = crate::wire::Take(&answer.parameters);
        let attest = take
            .sized()
            .map_err(|_| TpmError::Malformed { command: name })?;
        Ok((attest.to_vec(), normalised(take.0)))
    }
}
