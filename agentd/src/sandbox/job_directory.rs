//! A job's own files: a file system of its own, with a size, gone with the job.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountAttrFlags, MoveMountFlags, UnmountFlags};

use super::builder;
use super::enclosure::JOBS;
use super::layer::Layer;
use super::mounts;
use super::refusal::{At, Refusal};
use crate::code;

/// A sized, empty file system below [`JOBS`]. Dropped, it is unmounted: its
/// contents are gone once the last sandbox that has it is.
///
/// Limited in bytes and in files together, since many small files beat a limit on
/// either.
#[derive(Debug)]
pub struct JobDirectory {
    path: PathBuf,
    handle: OwnedFd,
    /// The builder's, which made it: see builder.rs.
    ticket: Option<OwnedFd>,
}

impl JobDirectory {
    /// Makes one. `name` is 1..=64 characters of a-z 0-9 and `-`.
    ///
    /// # Errors
    /// [`Refusal`] with `sandbox.mount`.
    pub fn create(name: &str, bytes: u64, inodes: u64) -> Result<Self, Refusal> {
        let Some(made) = builder::directory(name, bytes, inodes) else {
            return Self::create_here(name, bytes, inodes);
        };
        let (ticket, handle) = made?;
        Ok(Self {
            path: Path::new(JOBS).join(name),
            handle,
            ticket: Some(ticket),
        })
    }

    /// The same, by this process itself.
    pub(super) fn create_here(name: &str, bytes: u64, inodes: u64) -> Result<Self, Refusal> {
        let failed = || format!("the job directory {name} could not be made");
        let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if !(1..=64).contains(&name.len()) || !name.chars().all(plain) {
            let why = "its name is not 1 to 64 characters of a-z 0-9 -";
            return Err(Refusal::new(&code::SANDBOX_MOUNT, failed(), why));
        }
        let path = Path::new(JOBS).join(name);
        // Sandboxes pass through it to what they are given, and cannot list it.
        let options = [
            ("mode", "711".to_owned()),
            ("size", bytes.to_string()),
            ("nr_inodes", inodes.to_string()),
        ];
        let options: Vec<_> = options
            .iter()
            .take(if Layer::Workspace.stands() { 3 } else { 1 })
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let mount = mounts::make("tmpfs", &options, MountAttrFlags::empty())?;
        fs::create_dir(&path).at(&code::SANDBOX_MOUNT, failed)?;
        let attached = rustix::mount::move_mount(
            &mount,
            c"",
            CWD,
            &path,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        );
        let handle = attached.and_then(|()| {
            rustix::fs::open(&path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        });
        match handle {
            Ok(handle) => Ok(Self {
                path,
                handle,
                ticket: None,
            }),
            Err(e) => {
                let _gone = rustix::mount::unmount(&path, UnmountFlags::DETACH);
                let _gone = fs::remove_dir(&path);
                Err(Refusal::new(&code::SANDBOX_MOUNT, failed(), e))
            }
        }
    }

    /// Makes a directory in it that belongs to `uid` (agentd's numbering).
    ///
    /// # Errors
    /// [`Refusal`] with `sandbox.mount`.
    pub fn make(&self, name: &str, uid: u32, mode: u32) -> Result<PathBuf, Refusal> {
        let failed = || format!("{name} could not be made in a job directory");
        let path = self.path.join(name);
        fs::DirBuilder::new()
            .mode(mode)
            .create(&path)
            .at(&code::SANDBOX_MOUNT, failed)?;
        // Not by the file creation mask, which may have taken bits away; and while it is
        // its own, because a supervisor has no right over the modes of others' files.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .at(&code::SANDBOX_MOUNT, failed)?;
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).at(&code::SANDBOX_MOUNT, failed)?;
        Ok(path)
    }

    /// Its path in agentd's tree, for binds.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For [`super::sys::open_beneath`]: the only way to open what a job wrote.
    pub fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Drop for JobDirectory {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            builder::give_back(ticket);
            return;
        }
        let _gone = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        let _gone = fs::remove_dir(&self.path);
    }
}
