//! Keys in PEM files.

use std::path::Path;

use casemate_attest::code;
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _};
use ed25519_dalek::{SigningKey, VerifyingKey};

use crate::failure::{Exit, Failure};
use crate::file;

const MAX_PEM: usize = 16 * 1024;

fn text(path: &Path) -> Result<String, Failure> {
    let bytes = file::read(path, MAX_PEM)?;
    String::from_utf8(bytes).map_err(|_| bad(path, "not a text file"))
}

fn bad(path: &Path, why: impl ToString) -> Failure {
    let what = format!("cannot read the key {}", path.display());
    Failure::new(Exit::Malformed, &code::KEY_MALFORMED, what, why)
}

/// An Ed25519 public key: PEM, or the owner's private key file, of which the public part is taken.
pub(crate) fn ed25519_public(path: &Path) -> Result<VerifyingKey, Failure> {
    let text = text(path)?;
    if text.contains("PRIVATE KEY") {
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|why| bad(path, why))?;
        return Ok(key.verifying_key());
    }
    VerifyingKey::from_public_key_pem(&text).map_err(|why| bad(path, why))
}

/// A log's public key: 64 hexadecimal digits as reports print it, or a PEM file.
pub(crate) fn log(key: &Path) -> Result<VerifyingKey, Failure> {
    let mut bytes = [0; 32];
    let digits = key
        .to_str()
        .map(|text| hex::decode_to_slice(text, &mut bytes));
    match digits {
        Some(Ok(())) => VerifyingKey::from_bytes(&bytes).map_err(|why| bad(key, why)),
        _ => ed25519_public(key),
    }
}

/// The owner's Ed25519 private key.
pub(crate) fn owner(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::from_pkcs8_pem(&text(path)?).map_err(|why| bad(path, why))
}

/// Makes the owner's key, and its public part beside it as `<path>.pub`.
pub(crate) fn create_owner(path: &Path) -> Result<SigningKey, Failure> {
    let key = SigningKey::from_bytes(&random()?);
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|why| bad(path, why))?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF);
    let public = public.map_err(|why| bad(path, why))?;
    file::write_new(path, pem.as_bytes(), true)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    file::write_new(Path::new(&beside), public.as_bytes(), false)?;
    Ok(key)
}

/// The release key's public part, PEM.
pub(crate) fn release(path: &Path) -> Result<p256::ecdsa::VerifyingKey, Failure> {
    p256::ecdsa::VerifyingKey::from_public_key_pem(&text(path)?).map_err(|why| bad(path, why))
}

/// A P-256 private key, PEM.
pub(crate) fn p256_private(path: &Path) -> Result<p256::ecdsa::SigningKey, Failure> {
    p256::ecdsa::SigningKey::from_pkcs8_pem(&text(path)?).map_err(|why| bad(path, why))
}

/// 32 random bytes of the system.
pub(crate) fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).map_err(|why| {
        let what = "cannot get random bytes from the system";
        Failure::new(Exit::Internal, &code::RANDOM_UNAVAILABLE, what, why)
    })?;
    Ok(bytes)
}
