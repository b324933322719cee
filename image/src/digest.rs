//! SHA-256 of files and of lists of inputs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::BuildError;

/// A SHA-256 digest.
pub type Sha = [u8; 32];

/// Digest of `bytes`.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Sha {
    Sha256::digest(bytes).into()
}

/// Digest of `label || 0x00 || part || 0x00 || part ...`, no zero at the end.
#[must_use]
pub fn of_labelled(label: &str, parts: &[&str]) -> Sha {
    let mut hash = Sha256::new();
    hash.update(label);
    for part in parts {
        hash.update([0]);
        hash.update(part);
    }
    hash.finalize().into()
}

/// Digest of a file's bytes.
///
/// # Errors
/// `File` when it cannot be read.
pub fn of_file(path: &Path) -> Result<Sha, BuildError> {
    let mut file = File::open(path).map_err(BuildError::file("read", path))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let n = file
            .read(&mut block)
            .map_err(BuildError::file("read", path))?;
        match block.get(..n) {
            Some([]) | None => return Ok(hash.finalize().into()),
            Some(read) => hash.update(read),
        }
    }
}
