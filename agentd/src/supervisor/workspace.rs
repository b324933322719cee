//! A job's folders: one sized tmpfs, made for the job and gone with it.
//!
//! | folder | owner | seen by |
//! |---|---|---|
//! | `desk/` | desktop | desktop read-write, hands read-only: the sockets of display and accessibility bus |
//! | `work/in/` | agentd | desktop, read-only by ownership |
//! | `work/out/` | desktop | desktop |
//! | `check/` | agentd | one strict sandbox, read-only |
//!
//! agentd owns `work/` itself, so that the desktop cannot rename `in/` away.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, fchown};
use std::path::PathBuf;

use casemate_protocol::id::JobId;

use super::files::{self, FileError};
use crate::sandbox::job_directory::JobDirectory;

/// Files a job may have at once in all its folders.
const INODES: u64 = 20_000;

/// A mounted set of job folders; dropping it unmounts and removes them.
#[derive(Debug)]
pub struct Workspace {
    directory: JobDirectory,
    work: OwnedFd,
    desktop_uid: u32,
}

impl Workspace {
    /// Mounts the job's tmpfs and lays out its folders.
    ///
    /// # Errors
    /// The failing step, in words; nothing stays mounted.
    pub fn create(job: JobId, mib: u32, desktop_uid: u32) -> Result<Self, String> {
        let words = |e: &dyn std::fmt::Display| e.to_string();
        let directory = JobDirectory::create(&job.to_string(), u64::from(mib) << 20, INODES)
            .map_err(|e| words(&e))?;
        for (name, uid, mode) in [
            ("work", 0, 0o755),
            ("work/in", 0, 0o755),
            ("check", 0, 0o755),
            ("desk", desktop_uid, 0o755),
            ("desk/x11", desktop_uid, 0o1777),
            ("work/out", desktop_uid, 0o700),
        ] {
            directory.make(name, uid, mode).map_err(|e| words(&e))?;
        }
        let work = File::open(directory.path().join("work"))
            .map_err(|e| words(&e))?
            .into();
        Ok(Self {
            directory,
            work,
            desktop_uid,
        })
    }

    /// Folder of the sockets of display and accessibility bus.
    pub fn desk(&self) -> PathBuf {
        self.directory.path().join("desk")
    }

    /// Folder of the display's socket, which Xvnc makes in `/tmp/.X11-unix`.
    pub fn x11(&self) -> PathBuf {
        self.desk().join("x11")
    }

    /// Folder that is `/workspace` in the desktop.
    pub fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Descriptor of [`Self::work`], the root of every open for the job.
    pub fn root(&self) -> &OwnedFd {
        &self.work
    }

    /// Puts an input document under `in/`, readable, never writable.
    ///
    /// # Errors
    /// The failing system call's error.
    pub fn put_input(&self, name: &str, from: &mut impl io::Read) -> io::Result<u64> {
        let path = self.work().join("in").join(name);
        let mut to = File::options().write(true).create_new(true).open(&path)?;
        let copied = io::copy(from, &mut to)?;
        to.set_permissions(Permissions::from_mode(0o444))?;
        Ok(copied)
    }

    /// Writes a file under `out/` that the desktop may change.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn put_output(&self, path: &str, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = files::create_regular(&self.work, path)?;
        let failed = |source| FileError::Io {
            path: path.to_owned(),
            source,
        };
        file.write_all(bytes).map_err(failed)?;
        fchown(&file, Some(self.desktop_uid), Some(self.desktop_uid)).map_err(failed)
    }

    /// A fresh folder that holds one read-only copy for a strict sandbox.
    ///
    /// # Errors
    /// The failing system call's error.
    pub fn stage_check(&self, number: u64, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = self.directory.path().join("check").join(number.to_string());
        DirBuilder::new().mode(0o755).create(&folder)?;
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, Permissions::from_mode(0o444))?;
        Ok(folder)
    }
}
