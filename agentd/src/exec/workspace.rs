//! The workspace of one command: a copy of the operator's directory, in a file
//! system of its own that holds so many bytes and files and no more.
//!
//! What the command changed is brought back when every process of it is gone, so
//! nothing races with the copy. Brought back are files, directories, and symbolic
//! links that stay inside; without set-id bits, and belonging to whom the directory
//! belongs. No link is followed on either side. What is not brought back is named.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::mount::{MountAttrFlags, OpenTreeFlags};

use super::refuse;
use crate::sandbox::profile::WorkspaceLimit;
use crate::sandbox::{Layer, Refusal, mounts, sys};

/// Deepest nesting of directories.
const DEPTH: usize = 128;
/// How many names of what was left out are kept.
const NAMED: usize = 50;

/// A filled workspace.
#[derive(Debug)]
pub(super) struct Staged {
    mount: OwnedFd,
    source: Option<Source>,
}

/// The operator's directory, and what was taken from it.
#[derive(Debug)]
struct Source {
    directory: File,
    owner: (u32, u32),
    writable: bool,
    taken: BTreeMap<PathBuf, Stamp>,
    left_out: Vec<String>,
}

/// Tells whether a copy was touched: the kernel alone sets the time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
    directory: bool,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            directory: metadata.is_dir(),
        }
    }
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Returned {
    /// Files written.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Files and directories removed.
    pub(super) removed: u64,
    /// What was not taken along or not brought back.
    pub(super) left_out: Vec<String>,
}

impl Staged {
    /// Makes the file system and fills it from `directory`, if there is one, for the
    /// host's `uid`.
    pub(super) fn make(
        directory: Option<&Path>,
        limit: WorkspaceLimit,
        uid: u32,
        writable: bool,
    ) -> Result<Self, Refusal> {
        let owner = uid.to_string();
        let (bytes, inodes) = (limit.bytes.to_string(), limit.inodes.to_string());
        let options = [
            ("mode", "700"),
            ("uid", owner.as_str()),
            ("gid", &owner),
            ("size", &bytes),
            ("nr_inodes", &inodes),
        ];
        let options = options.get(..if Layer::Workspace.stands() { 5 } else { 3 });
        let mount = mounts::make(
            "tmpfs",
            options.unwrap_or_default(),
            MountAttrFlags::empty(),
        )?;
        let source = match directory {
            None => None,
            Some(path) => {
                let failed = |e: io::Error| {
                    let fits = match e.raw_os_error() {
                        Some(libc::ENOSPC) => format!(
                            "; the profile's workspace holds {} bytes in {} files",
                            limit.bytes, limit.inodes
                        ),
                        _ => String::new(),
                    };
                    refuse(format!("{}: {e}{fits}", path.display()))
                };
                Some(Source::take(path, &mount, uid, writable).map_err(failed)?)
            }
        };
        Ok(Self { mount, source })
    }

    /// A mount of the same file system for agentd's rooms.
    pub(super) fn for_rooms(&self) -> Result<OwnedFd, Refusal> {
        rustix::mount::open_tree(
            &self.mount,
            c"",
            OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH,
        )
        .map_err(|e| refuse(format!("the workspace cannot be brought along: {e}")))
    }

    /// Brings back what was changed. No process of the sandbox may be alive.
    pub(super) fn bring_back(self) -> Result<Returned, Refusal> {
        let Some(source) = self.source else {
            return Ok(Returned::default());
        };
        let mut returned = Returned {
            left_out: source.left_out.clone(),
            ..Returned::default()
        };
        if source.writable {
            let failed = |e| refuse(format!("the workspace could not be brought back: {e}"));
            let from = inside(&self.mount);
            let mut back = Back {
                source: &source,
                from: &from,
                seen: BTreeMap::new(),
                returned: &mut returned,
            };
            back.directory(Path::new(""), 0).map_err(failed)?;
            let seen = std::mem::take(&mut back.seen);
            source.remove_gone(&seen, &mut returned).map_err(failed)?;
        }
        Ok(returned)
    }
}

/// A path by which the file system can be walked; nobody else knows the descriptor.
fn inside(mount: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()))
}

impl Source {
    fn take(path: &Path, mount: &OwnedFd, uid: u32, writable: bool) -> io::Result<Self> {
        let directory = File::open(path)?;
        let metadata = directory.metadata()?;
        if !metadata.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
        }
        let mut source = Self {
            owner: (metadata.uid(), metadata.gid()),
            directory,
            writable,
            taken: BTreeMap::new(),
            left_out: Vec::new(),
        };
        source.take_directory(Path::new(""), &inside(mount), uid, 0)?;
        Ok(source)
    }

    fn take_directory(&mut self, at: &Path, to: &Path, uid: u32, depth: usize) -> io::Result<()> {
        let place = if at.as_os_str().is_empty() {
            self.directory.try_clone()?
        } else {
            File::from(sys::open_beneath(
                &self.directory,
                at,
                OFlags::RDONLY | OFlags::DIRECTORY,
                Mode::empty(),
            )?)
        };
        for entry in std::fs::read_dir(format!("/proc/self/fd/{}", place.as_raw_fd()))? {
            let name = entry?.file_name();
            let (at, to) = (at.join(&name), to.join(&name));
            let kind = rustix::fs::statat(&place, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            match rustix::fs::FileType::from_raw_mode(kind.st_mode) {
                rustix::fs::FileType::Directory if depth < DEPTH => {
                    std::fs::create_dir(&to)?;
                    self.take_directory(&at, &to, uid, depth + 1)?;
                    give(&to, uid, kind.st_mode | 0o700)?;
                }
                rustix::fs::FileType::RegularFile => {
                    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
                    let mut from = File::from(sys::open_beneath(
                        &place,
                        name.as_ref(),
                        flags,
                        Mode::empty(),
                    )?);
                    io::copy(&mut from, &mut File::create_new(&to)?)?;
                    give(&to, uid, kind.st_mode)?;
                }
                rustix::fs::FileType::Symlink => {
                    let target = rustix::fs::readlinkat(&place, &name, Vec::new())?;
                    rustix::fs::symlinkat(&target, rustix::fs::CWD, &to)?;
                    std::os::unix::fs::lchown(&to, Some(uid), Some(uid))?;
                }
                _ => {
                    leave_out(&mut self.left_out, &at);
                    continue;
                }
            }
            let stamp = Stamp::of(&std::fs::symlink_metadata(&to)?);
            self.taken.insert(at, stamp);
        }
        Ok(())
    }

    /// Removes what was taken along and is no longer there.
    fn remove_gone(&self, seen: &BTreeMap<PathBuf, ()>, returned: &mut Returned) -> io::Result<()> {
        // Deepest first: what is in a directory comes after it.
        for path in self
            .taken
            .keys()
            .rev()
            .filter(|path| !seen.contains_key(*path))
        {
            let parent = self.parent(path)?;
            let name = path.file_name().unwrap_or_default();
            let removed = match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
                Err(rustix::io::Errno::ISDIR) => {
                    rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)
                }
                other => other,
            };
            match removed {
                Ok(()) => returned.removed += 1,
                // Somebody else was quicker, or put something in it.
                Err(_) => leave_out(&mut returned.left_out, path),
            }
        }
        Ok(())
    }

    fn parent(&self, path: &Path) -> io::Result<OwnedFd> {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sys::open_beneath(
                &self.directory,
                parent,
                OFlags::RDONLY | OFlags::DIRECTORY,
                Mode::empty(),
            ),
            _ => self.directory.try_clone().map(OwnedFd::from),
        }
    }
}

fn leave_out(names: &mut Vec<String>, path: &Path) {
    if names.len() < NAMED {
        names.push(path.to_string_lossy().into_owned());
    }
}

/// Gives a copy to the sandbox, with the permission bits alone.
fn give(path: &Path, uid: u32, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o777))?;
    std::os::unix::fs::chown(path, Some(uid), Some(uid))
}

/// The way back.
struct Back<'a> {
    source: &'a Source,
    from: &'a Path,
    seen: BTreeMap<PathBuf, ()>,
    returned: &'a mut Returned,
}

impl Back<'_> {
    fn directory(&mut self, at: &Path, depth: usize) -> io::Result<()> {
        // What the sandbox's owner closed to itself is not closed to us.
        for entry in std::fs::read_dir(self.from.join(at))? {
            let at = at.join(entry?.file_name());
            let metadata = std::fs::symlink_metadata(self.from.join(&at))?;
            self.seen.insert(at.clone(), ());
            let untouched = self.source.taken.get(&at) == Some(&Stamp::of(&metadata));
            if metadata.is_dir() && depth < DEPTH {
                let was = self.source.taken.get(&at).is_some_and(|was| was.directory);
                if !was {
                    self.make_directory(&at, metadata.mode())?;
                }
                self.directory(&at, depth + 1)?;
                continue;
            }
            if untouched {
                continue;
            }
            let written = if metadata.is_file() && !has_holes(&metadata) {
                self.file(&at, &metadata)
            } else if metadata.is_symlink() && stays_inside(&at, &self.from.join(&at)) {
                self.link(&at)
            } else {
                Err(io::Error::from_raw_os_error(libc::EISDIR))
            };
            match written {
                // A directory of the operator's is in its place, or it is no file, or one with holes.
                Err(e) if matches!(e.raw_os_error(), Some(libc::EISDIR | libc::EEXIST)) => {
                    leave_out(&mut self.returned.left_out, &at);
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn link(&self, at: &Path) -> io::Result<()> {
        let target = std::fs::read_link(self.from.join(at))?;
        let parent = self.source.parent(at)?;
        self.clear(&parent, at)?;
        rustix::fs::symlinkat(&target, &parent, name(at))?;
        Ok(())
    }

    fn make_directory(&self, at: &Path, mode: u32) -> io::Result<()> {
        let (parent, name) = (self.source.parent(at)?, name(at));
        let there = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_directory = there.is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory
        });
        if !is_directory {
            self.clear(&parent, at)?;
            rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700))?;
        }
        let made = sys::open_beneath(
            &parent,
            name.as_ref(),
            OFlags::RDONLY | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        self.finish(&File::from(made), mode)
    }

    /// Writes beside the old file and puts it in its place when it is whole.
    fn file(&mut self, at: &Path, metadata: &Metadata) -> io::Result<()> {
        let parent = self.source.parent(at)?;
        let beside = format!(".casemate-{}", metadata.ino());
        let mut to = File::from(rustix::fs::openat(
            &parent,
            &beside,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o600),
        )?);
        let mut from = File::open(self.from.join(at))?;
        let copied = io::copy(&mut from, &mut to).and_then(|bytes| {
            self.finish(&to, metadata.mode())?;
            Ok(bytes)
        });
        let placed = copied.and_then(|bytes| {
            rustix::fs::renameat(&parent, &beside, &parent, name(at))?;
            Ok(bytes)
        });
        match placed {
            Ok(bytes) => {
                self.returned.files += 1;
                self.returned.bytes += bytes;
                Ok(())
            }
            Err(e) => {
                let _gone = rustix::fs::unlinkat(&parent, &beside, AtFlags::empty());
                Err(e)
            }
        }
    }

    fn finish(&self, file: &File, mode: u32) -> io::Result<()> {
        let (uid, gid) = self.source.owner;
        fchown(file, Some(uid), Some(gid))?;
        file.set_permissions(PermissionsExt::from_mode(mode & 0o777))
    }

    /// Makes room for something of another kind.
    fn clear(&self, parent: impl AsFd, at: &Path) -> io::Result<()> {
        match rustix::fs::unlinkat(parent.as_fd(), name(at), AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

fn name(path: &Path) -> &std::ffi::OsStr {
    path.file_name().unwrap_or_default()
}

/// Whether a file is longer than what it takes: its holes are in no limit, and would be written out.
fn has_holes(metadata: &Metadata) -> bool {
    metadata.len() > metadata.blocks().saturating_mul(512)
}

/// Whether the link at `link` leads, by its own words, nowhere above the workspace. It may climb at its beginning only:
/// the folders above it are real ones, but a folder that it goes down into may be a link itself, behind which `..` is
/// anywhere.
fn stays_inside(at: &Path, link: &Path) -> bool {
    let Ok(target) = std::fs::read_link(link) else {
        return false;
    };
    let mut depth = at.components().count().saturating_sub(1);
    let mut down = false;
    for part in target.components() {
        match part {
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 && !down => depth -= 1,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const LIMIT: WorkspaceLimit = WorkspaceLimit {
        bytes: 1 << 20,
        inodes: 64,
    };

    fn staged(directory: &Path) -> (Staged, PathBuf) {
        let staged = Staged::make(Some(directory), LIMIT, 654_321, true).unwrap();
        let at = inside(&staged.mount);
        (staged, at)
    }

    #[test]
    fn what_was_changed_comes_back_and_nothing_else() {
        let ours = tempfile::tempdir().unwrap();
        let at = |name: &str| ours.path().join(name);
        fs::create_dir(at("kept")).unwrap();
        for name in ["kept/old", "changed", "gone"] {
            fs::write(at(name), name).unwrap();
        }
        let before = fs::metadata(at("kept/old")).unwrap();
        let (staged, copy) = staged(ours.path());
        assert_eq!(fs::metadata(copy.join("changed")).unwrap().uid(), 654_321);
        fs::write(copy.join("changed"), "other").unwrap();
        fs::remove_file(copy.join("gone")).unwrap();
        fs::create_dir(copy.join("new")).unwrap();
        fs::write(copy.join("new/file"), "12345").unwrap();
        fs::set_permissions(copy.join("new/file"), PermissionsExt::from_mode(0o6755)).unwrap();
        assert_eq!(fs::read(at("changed")).unwrap(), b"changed");
        let returned = staged.bring_back().unwrap();
        assert_eq!(fs::read(at("changed")).unwrap(), b"other");
        assert!(!at("gone").exists());
        let new = fs::metadata(at("new/file")).unwrap();
        assert_eq!((new.mode() & 0o7777, new.uid()), (0o755, before.uid()));
        assert_eq!(fs::metadata(at("kept/old")).unwrap().ino(), before.ino());
        assert_eq!(
            (returned.files, returned.bytes, returned.removed),
            (2, 10, 1)
        );
        assert_eq!(returned.left_out, Vec::<String>::new());
    }

    #[test]
    fn no_link_leads_out_on_either_side() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let ours = tempfile::tempdir().unwrap();
        let at = |name: &str| ours.path().join(name);
        symlink(outside.path(), at("way")).unwrap();
        symlink(outside.path().join("secret"), at("file")).unwrap();
        let (staged, copy) = staged(ours.path());
        // Links stay links: what they lead to was not taken along.
        assert!(
            fs::symlink_metadata(copy.join("file"))
                .unwrap()
                .is_symlink()
        );
        // The hostile program makes a directory and a file of the same names.
        fs::remove_file(copy.join("way")).unwrap();
        fs::create_dir(copy.join("way")).unwrap();
        fs::write(copy.join("way/planted"), "x").unwrap();
        fs::remove_file(copy.join("file")).unwrap();
        fs::write(copy.join("file"), "x").unwrap();
        symlink("way/planted", copy.join("inner")).unwrap();
        symlink("/etc/shadow", copy.join("absolute")).unwrap();
        symlink("way/../../up", copy.join("climbing")).unwrap();
        let pipe = copy.join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let returned = staged.bring_back().unwrap();
        assert!(!outside.path().join("planted").exists());
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read(at("file")).unwrap(), b"x");
        assert_eq!(fs::read(at("inner")).unwrap(), b"x");
        let mut left_out = returned.left_out;
        left_out.sort();
        assert_eq!(left_out, ["absolute", "climbing", "pipe"]);
    }

    #[test]
    fn it_holds_so_many_bytes_and_files_and_no_more() {
        let ours = tempfile::tempdir().unwrap();
        let (staged, copy) = staged(ours.path());
        let full = |result: io::Result<()>| result.unwrap_err().raw_os_error();
        let large = fs::write(copy.join("large"), vec![1; 2 << 20]);
        assert_eq!(full(large), Some(libc::ENOSPC));
        fs::remove_file(copy.join("large")).unwrap();
        let many = (0..100).try_for_each(|number| fs::write(copy.join(number.to_string()), ""));
        assert_eq!(full(many), Some(libc::ENOSPC));
        drop(staged);
        // And what does not fit is refused before anything is run.
        fs::write(ours.path().join("large"), vec![1; 2 << 20]).unwrap();
        let refused = Staged::make(Some(ours.path()), LIMIT, 654_321, true).unwrap_err();
        assert!(refused.why.contains("holds 1048576 bytes"), "{refused}");
    }
}
