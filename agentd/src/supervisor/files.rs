//! Opening what a job names, without following it anywhere.
//!
//! The desktop compartment owns `out/` and can make any name there a link, a
//! pipe or a device at any moment. Every open is therefore one `openat2` that
//! resolves beneath the workspace, follows no link and crosses no mount, does
//! not block, and whose result is then looked at through the descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use crate::sandbox::sys;

/// Why a job's file was not opened.
#[derive(Debug, Error)]
pub enum FileError {
    /// The name is not a plain relative path under `in/` or `out/`.
    #[error("`{0}` is not a plain path under in/ or out/")]
    Name(String),
    /// Nothing of that name.
    #[error("there is no file `{0}`")]
    Missing(String),
    /// A link, a pipe, a device or a folder.
    #[error("`{0}` is not a regular file")]
    NotAFile(String),
    /// Over the bound that applies.
    #[error("`{path}` has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The path.
        path: String,
        /// Its size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// Anything else.
    #[error("`{path}` cannot be used: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

fn io_error(path: &str, source: impl Into<io::Error>) -> FileError {
    FileError::Io {
        path: path.to_owned(),
        source: source.into(),
    }
}

fn open(root: &OwnedFd, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    sys::open_beneath(
        root,
        Path::new(path),
        flags | OFlags::NOCTTY | OFlags::NONBLOCK,
        mode,
    )
}

/// Whether a path is `in/NAME` or `out/NAME` with one ordinary name.
pub fn is_workspace_path(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let folder = parts.next();
    let name = parts.next();
    parts.next().is_none()
        && matches!(folder, Some(Component::Normal(f)) if f == "in" || f == "out")
        && matches!(name, Some(Component::Normal(_)))
        && is_name(path.split_once('/').map_or("", |(_, name)| name))
}

/// Whether a text is an ordinary file name: visible, short, no separator.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && !name.starts_with('-')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || " ._-()+".contains(c))
}

/// Opens a regular file of at most `limit` bytes beneath `root` for reading.
///
/// # Errors
/// See [`FileError`].
pub fn open_regular(root: &OwnedFd, path: &str, limit: u64) -> Result<File, FileError> {
    let file = match open(root, path, OFlags::RDONLY, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(e) => {
            return Err(match Errno::from_io_error(&e) {
                Some(Errno::NOENT) => FileError::Missing(path.to_owned()),
                Some(Errno::LOOP | Errno::XDEV | Errno::NXIO) => {
                    FileError::NotAFile(path.to_owned())
                }
                _ => io_error(path, e),
            });
        }
    };
    let found = file.metadata().map_err(|e| io_error(path, e))?;
    if !found.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    if found.len() > limit {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            size: found.len(),
            limit,
        });
    }
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes beneath `root`.
///
/// # Errors
/// See [`FileError`]; also when the file grows over the bound meanwhile.
pub fn read_regular(root: &OwnedFd, path: &str, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = open_regular(root, path, limit)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| io_error(path, e))?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            size,
            limit,
        });
    }
    Ok(bytes)
}

/// Creates a new regular file beneath `root`, for its owner alone; an existing
/// name is first removed.
///
/// # Errors
/// See [`FileError`].
pub fn create_regular(root: &OwnedFd, path: &str) -> Result<File, FileError> {
    match rustix::fs::unlinkat(root, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(io_error(path, e)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    open(root, path, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|e| io_error(path, e))
}

/// Names of a folder beneath `root`, sorted; at most 1,000.
///
/// # Errors
/// See [`FileError`].
pub fn list(root: &OwnedFd, folder: &str) -> Result<Vec<String>, FileError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let descriptor = open(root, folder, flags, Mode::empty()).map_err(|e| io_error(folder, e))?;
    let entries = Dir::read_from(descriptor).map_err(|e| io_error(folder, e))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| is_name(name))
        .take(1000)
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        let root = OwnedFd::from(File::open(folder.path()).unwrap());
        (folder, root)
    }

    #[test]
    fn nothing_leads_out_of_the_workspace() {
        let (folder, root) = folder();
        let out = folder.path().join("out");
        std::os::unix::fs::symlink("/etc/hostname", out.join("link")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("etc")).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, out.join("pipe"), fifo, Mode::RWXU, 0).unwrap();
        std::fs::write(out.join("big"), vec![0; 100]).unwrap();
        // The control: outside, the link is followed.
        assert!(std::fs::read(out.join("link")).is_ok());
        assert!(matches!(
            read_regular(&root, "out/link", 99),
            Err(FileError::NotAFile(_))
        ));
        assert!(read_regular(&root, "etc/hostname", 99).is_err());
        assert!(read_regular(&root, "../../../etc/hostname", 99).is_err());
        assert!(matches!(
            read_regular(&root, "out/pipe", 99),
            Err(FileError::NotAFile(_))
        ));
        assert!(matches!(
            read_regular(&root, "out", 99),
            Err(FileError::NotAFile(_))
        ));
        assert!(matches!(
            read_regular(&root, "out/big", 99),
            Err(FileError::TooLarge { .. })
        ));
        assert!(matches!(
            read_regular(&root, "out/none", 99),
            Err(FileError::Missing(_))
        ));
        assert_eq!(read_regular(&root, "out/big", 100).unwrap().len(), 100);
    }

    #[test]
    fn a_planted_link_is_replaced_and_never_written_through() {
        let (folder, root) = folder();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "kept").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("out/a.txt")).unwrap();
        use std::io::Write as _;
        create_regular(&root, "out/a.txt")
            .unwrap()
            .write_all(b"new")
            .unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"kept");
        assert_eq!(
            std::fs::read(folder.path().join("out/a.txt")).unwrap(),
            b"new"
        );
    }

    #[test]
    fn only_plain_workspace_paths() {
        for good in ["in/a.pdf", "out/Rechnung (1).xlsx", "in/été.pdf"] {
            assert!(is_workspace_path(good), "{good}");
        }
        for bad in [
            "",
            "in",
            "in/",
            "a.pdf",
            "/in/a",
            "in/../a",
            "in/./a",
            "out/a/b",
            "in//a",
            "./in/a",
            "in/.hidden",
            "in/-rf",
            "in/a\n",
            "in/a\0b",
            "desk/x",
        ] {
            assert!(!is_workspace_path(bad), "{bad:?}");
        }
    }
}
