//! Keys on their way to those who need them: files in memory that is never swapped, in a folder
//! that only root enters. systemd opens the daemon's for it (`OpenFile=`), at every start anew.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mount::{MountFlags, mount};

use crate::failure::Failure;

/// Where they lie while the system runs.
pub(crate) const FOLDER: &str = "/run/keys";

/// Makes the folder: ramfs has no swap behind it, as tmpfs has.
pub(crate) fn make_folder() -> Result<(), Failure> {
    fs::create_dir_all(FOLDER).map_err(Failure::system("cannot make", FOLDER))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("ramfs", FOLDER, "ramfs", flags, Some(c"mode=0700"))
        .map_err(Failure::system("cannot mount", FOLDER))
}

/// A file that a child writes through a descriptor it inherits.
pub(crate) struct Keeper {
    pub(crate) path: PathBuf,
    file: File,
}

impl Keeper {
    /// An empty file, instead of one that a refused attempt may have left.
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let path = Path::new(FOLDER).join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(Failure::system("cannot make", &path))?;
        fcntl_setfd(&file, FdFlags::empty()).map_err(Failure::system("cannot pass", &path))?;
        Ok(Self { path, file })
    }

    /// The number by which a child finds it.
    pub(crate) fn number(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Hands the file to a group, for reading; nobody may write it any more.
    pub(crate) fn give(self, group: u32) -> Result<(), Failure> {
        use rustix::fs::{Gid, Mode, Uid};
        let failed = |error| Failure::system("cannot hand over", &self.path)(error);
        let (root, group) = (Uid::from_raw(0), Gid::from_raw(group));
        rustix::fs::fchown(&self.file, Some(root), Some(group)).map_err(failed)?;
        let mode = Mode::from_raw_mode(0o440);
        rustix::fs::fchmod(&self.file, mode).map_err(Failure::system("cannot close", &self.path))
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> Result<bool, Failure> {
        let found = self.file.metadata();
        found
            .map(|found| found.len() == 0)
            .map_err(Failure::system("cannot look at", &self.path))
    }

    /// Removes the file.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        fs::remove_file(&self.path).map_err(Failure::system("cannot remove", &self.path))
    }
}
