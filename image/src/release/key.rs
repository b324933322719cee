//! The key that signs a release's manifest and the policy that opens the sealed root.

use std::path::{Path, PathBuf};

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::pkcs8::DecodePrivateKey as _;

use crate::error::BuildError;

/// A P-256 release key.
pub struct ReleaseKey {
    key: SigningKey,
    path: PathBuf,
}

impl std::fmt::Debug for ReleaseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReleaseKey(..)")
    }
}

impl ReleaseKey {
    /// Reads a PKCS#8 PEM file.
    ///
    /// # Errors
    /// `Key` when it is missing or is not a P-256 key.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let unusable = |why: String| BuildError::Key {
            path: path.to_path_buf(),
            why,
        };
        let pem = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let key = p256::SecretKey::from_pkcs8_pem(&pem)
            .map_err(|_| unusable("is not a P-256 private key in PKCS#8 PEM".to_owned()))?;
        Ok(Self {
            key: SigningKey::from(&key),
            path: path.to_path_buf(),
        })
    }

    #[cfg(test)]
    pub(crate) fn of_scalar(scalar: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&scalar.into()).unwrap();
        Self {
            key,
            path: PathBuf::new(),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        *self.key.verifying_key()
    }

    pub(super) fn signer(&self) -> &SigningKey {
        &self.key
    }

    /// ECDSA over a SHA-256 digest, r || s, as the TPM's `PolicyAuthorize` checks it.
    pub(super) fn sign_digest(&self, digest: &[u8; 32]) -> Result<[u8; 64], BuildError> {
        let signature: Signature =
            self.key
                .sign_prehash(digest)
                .map_err(|error| BuildError::Key {
                    path: self.path.clone(),
                    why: error.to_string(),
                })?;
        Ok(signature.to_bytes().into())
    }
}
