//! Files that are there after a power cut, or not at all.
//!
//! A name appears only once its content is synced, and the call returns only once the name is
//! synced too: write beside, `fsync`, rename, `fsync` of the directory (rename(2) promises
//! atomicity for readers, not durability).

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Ending of a file that did not get its name; removed by [`sweep`].
pub const BESIDE: &str = "tmp";

/// Makes a directory for the daemon alone, and its name durable; one that is there is fine.
///
/// # Errors
/// The file system's.
pub fn directory(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => match path.parent() {
            Some(parent) => sync_directory(parent),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// The file system's.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Puts a file in place, whole and durable; replaces one of that name.
///
/// # Errors
/// The file system's; the old file, or none, is then still there.
pub fn put(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = dir.join(format!("{name}.{BESIDE}"));
    let made = create(&beside, bytes).and_then(|()| std::fs::rename(&beside, dir.join(name)));
    if let Err(error) = made {
        // Leaves nothing of a failed write; the first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
        return Err(error);
    }
    sync_directory(dir)
}

/// Removes files that did not get their name before the last stop.
///
/// # Errors
/// The file system's.
pub fn sweep(dir: &Path) -> io::Result<u64> {
    let mut swept = 0u64;
    for item in std::fs::read_dir(dir)? {
        let path = item?.path();
        if path.extension() == Some(OsStr::new(BESIDE)) {
            std::fs::remove_file(path)?;
            swept = swept.saturating_add(1);
        }
    }
    Ok(swept)
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
