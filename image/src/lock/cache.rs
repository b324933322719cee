//! The kept .debs: fetched once, checked each time, named by their digest.

use std::path::{Path, PathBuf};

use crate::digest;
use crate::error::BuildError;
use crate::lock::{Lock, Mirror, Package};
use crate::progress::Progress;
use crate::tool::Tool;

/// Fetches are given to apt in groups of this many.
const GROUP: usize = 60;

/// Makes sure that every locked .deb is in `cache` with its locked digest, and
/// returns their paths in the lock's order. Uses the network only for those
/// that are missing.
///
/// # Errors
/// `LockStale` when the mirror has them no more, `PinMismatch` when it has
/// another file under the name, `NoMirror`, `Tool`, `File`.
pub fn fetch(lock: &Lock, cache: &Path, progress: &Progress) -> Result<Vec<PathBuf>, BuildError> {
    std::fs::create_dir_all(cache).map_err(BuildError::file("make", cache))?;
    let mut missing = Vec::new();
    for package in &lock.packages {
        let path = cached(cache, package);
        if !path.exists() || hex::encode(digest::of_file(&path)?) != package.sha256 {
            missing.push(package);
        }
    }
    if !missing.is_empty() {
        let mirror = Mirror::of_this_machine()?;
        let bytes: u64 = missing.iter().map(|p| p.size).sum();
        progress.say(&format!(
            "fetching {} packages, {} MB",
            missing.len(),
            bytes / 1_000_000
        ));
        let mut done = 0;
        for group in missing.chunks(GROUP) {
            fetch_group(group, cache, &mirror)?;
            done += group.len();
            progress.say(&format!("fetched {done} of {} packages", missing.len()));
        }
    }
    Ok(lock
        .packages
        .iter()
        .map(|package| cached(cache, package))
        .collect())
}

fn cached(cache: &Path, package: &Package) -> PathBuf {
    cache.join(format!("{}.deb", package.sha256))
}

fn fetch_group(group: &[&Package], cache: &Path, mirror: &Mirror) -> Result<(), BuildError> {
    let part = |package: &Package| cache.join(format!("{}.part", package.sha256));
    let mut tool = Tool::new("/usr/lib/apt/apt-helper").args([
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Acquire::Retries=3",
        "download-file",
    ]);
    for package in group {
        let _ = std::fs::remove_file(part(package));
        tool = tool
            .arg(format!(
                "{}/{}",
                mirror.archive(&package.archive)?,
                package.path
            ))
            .arg(part(package))
            .arg(format!("SHA256:{}", package.sha256));
    }
    let outcome = tool.run();
    let mut gone = Vec::new();
    for package in group {
        let part = part(package);
        // apt renames a file whose digest is not the expected one.
        let refused = part.with_extension("part.FAILED");
        let came = [&part, &refused].into_iter().find(|path| path.exists());
        let Some(came) = came else {
            gone.push(format!("{} {}", package.name, package.version));
            continue;
        };
        let found = hex::encode(digest::of_file(came)?);
        if found != package.sha256 {
            std::fs::remove_file(came).map_err(BuildError::file("remove", came))?;
            return Err(BuildError::PinMismatch {
                what: format!("{} {}", package.name, package.version),
                expected: package.sha256.clone(),
                found,
            });
        }
        std::fs::rename(&part, cached(cache, package)).map_err(BuildError::file("keep", &part))?;
    }
    match outcome {
        Ok(()) if gone.is_empty() => Ok(()),
        Err(BuildError::Tool { why, .. }) if !gone.is_empty() && why.contains("404") => {
            Err(BuildError::LockStale { packages: gone })
        }
        Err(error) => Err(error),
        Ok(()) => Err(BuildError::LockStale { packages: gone }),
    }
}
