//! The P-256 keys that sign packs and releases.
//!
//! A development key is a file that anyone on the machine's root may read; a
//! release verifier never holds its public half.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};

use crate::error::BuildError;

/// The key that signs packs.
pub struct PackKey(SigningKey);

impl std::fmt::Debug for PackKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PackKey(..)")
    }
}

impl PackKey {
    /// Reads a PKCS#8 PEM file.
    ///
    /// # Errors
    /// `Key` when it is missing or is not a P-256 key.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let unusable = |why: String| BuildError::Key {
            path: path.to_path_buf(),
            why,
        };
        let pem = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
        let key = p256::SecretKey::from_pkcs8_pem(&pem)
            .map_err(|_| unusable("is not a P-256 private key in PKCS#8 PEM".to_owned()))?;
        Ok(Self(SigningKey::from(&key)))
    }

    /// A key of a known scalar, for the committed vector only.
    #[cfg(test)]
    pub(crate) fn of_scalar(scalar: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&scalar.into()).unwrap())
    }

    /// The public half as SPKI PEM.
    ///
    /// # Errors
    /// `Key` when it cannot be encoded, which does not happen for a valid key.
    pub fn public_pem(&self) -> Result<String, BuildError> {
        public_pem(&self.0, Path::new("public key"))
    }

    /// ECDSA P-256 with SHA-256 over `message`, r || s, deterministic (RFC 6979).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }
}

/// Makes `release.key`, `release.pub`, `site.key` and `site.pub` in `dir`, each
/// pair only if its private half is missing. Returns the names it made.
///
/// # Errors
/// `File` when a file cannot be written, `Key` when an existing one is unusable.
pub fn make_development_keys(dir: &Path) -> Result<Vec<&'static str>, BuildError> {
    std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir))?;
    let mut made = Vec::new();
    for name in ["release", "site"] {
        let private = dir.join(format!("{name}.key"));
        let public = dir.join(format!("{name}.pub"));
        if !private.exists() {
            write_key(&private)?;
            made.push(name);
        }
        let pem = PackKey::read(&private)?.public_pem()?;
        if std::fs::read_to_string(&public).ok().as_ref() != Some(&pem) {
            std::fs::write(&public, pem).map_err(BuildError::file("write", &public))?;
        }
    }
    Ok(made)
}

fn write_key(path: &Path) -> Result<(), BuildError> {
    let key = p256::SecretKey::random(&mut p256::elliptic_curve::rand_core::OsRng);
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|e| BuildError::Key {
            path: path.to_path_buf(),
            why: e.to_string(),
        })?;
    // Written beside and renamed, so that an interrupted run leaves no half a key.
    let part = path.with_extension("key.part");
    let _ = std::fs::remove_file(&part);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .map_err(BuildError::file("write", &part))?;
    file.write_all(pem.as_bytes())
        .map_err(BuildError::file("write", &part))?;
    file.sync_all().map_err(BuildError::file("write", &part))?;
    std::fs::rename(&part, path).map_err(BuildError::file("write", path))
}

fn public_pem(key: &SigningKey, path: &Path) -> Result<String, BuildError> {
    p256::PublicKey::from(key.verifying_key())
        .to_public_key_pem(LineEnding::LF)
        .map_err(|e| BuildError::Key {
            path: path.to_path_buf(),
            why: e.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            make_development_keys(dir.path()).unwrap(),
            ["release", "site"]
        );
        let key = dir.path().join("release.key");
        let before = std::fs::read(&key).unwrap();
        assert_eq!(
            std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::remove_file(dir.path().join("release.pub")).unwrap();
        assert!(make_development_keys(dir.path()).unwrap().is_empty());
        assert_eq!(std::fs::read(&key).unwrap(), before);
        assert!(dir.path().join("release.pub").exists());
    }

    #[test]
    fn a_damaged_key_is_named_with_its_code() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("release.key"),
            "-----BEGIN PRIVATE KEY-----\n",
        )
        .unwrap();
        let error = make_development_keys(dir.path()).unwrap_err();
        assert_eq!(error.code().id, "image.key");
    }
}
