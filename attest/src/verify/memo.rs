//! What a verifier need not find out twice: judgements that depend on their bytes alone.
//!
//! Only what was found to hold is kept, under the digest of everything that the finding rests on.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use p256::ecdsa::VerifyingKey as ReleaseKey;

use crate::digest::Digest;
use crate::release::{Release, ReleaseError};

/// So many findings are kept; then all are forgotten, and found out again as needed.
const MOST: usize = 1 << 16;

#[derive(Debug, Default)]
pub(super) struct Memo {
    releases: Mutex<HashMap<Digest, Arc<Release>>>,
    known: Mutex<HashSet<Digest>>,
}

impl Memo {
    /// The release of a manifest, verified at its first sight. One memo serves one release key.
    pub(super) fn release(
        &self,
        manifest: &[u8],
        key: &ReleaseKey,
    ) -> Result<Arc<Release>, ReleaseError> {
        let name = Digest::of(manifest);
        let known = lock(&self.releases).get(&name).cloned();
        if let Some(release) = known {
            return Ok(release);
        }
        let release = Arc::new(Release::verify(manifest, key)?);
        let mut releases = lock(&self.releases);
        if releases.len() >= MOST {
            releases.clear();
        }
        releases.insert(name, Arc::clone(&release));
        Ok(release)
    }

    /// Makes a check that rests on `parts` alone, unless it held before. `kind` tells checks apart.
    pub(super) fn once<E>(
        &self,
        kind: &str,
        parts: &[&[u8]],
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        // Every part behind its length, so that no two lists of parts are one string.
        let mut bytes = kind.as_bytes().to_vec();
        for part in parts {
            let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
            bytes.extend(len.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        let name = Digest::of(&bytes);
        if lock(&self.known).contains(&name) {
            return Ok(());
        }
        check()?;
        let mut known = lock(&self.known);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name);
        Ok(())
    }
}

/// What a panicking thread left is whole: every change is one insertion.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
