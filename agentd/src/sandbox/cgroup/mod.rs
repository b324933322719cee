//! Control groups: what a sandbox as a whole may use.
//!
//! agentd's parent group is made by root before agentd enters its user namespace
//! and is given to agentd's identity; agentd makes one leaf a sandbox below it. A
//! launcher puts itself into the leaf before it clones, so that nothing of a
//! sandbox ever runs outside its leaf.
//!
//! Memory, processes, processor time and disk traffic are limited; a host that
//! lacks one of the four controllers is refused, never run without. Version 2 is
//! used where it is the host's only one, version 1 elsewhere; what differs is in
//! version.rs.

mod version;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layer::Layer;
use super::refusal::{At, Refusal};
use crate::code;
use version::Version;

/// How every group of ours begins, so that a later start recognises it.
const PREFIX: &str = "casemate-agentd-";
/// agentd's own leaf below its parent, in version 2: only groups without processes
/// can hand controllers down.
const OWN: &str = "agentd";

/// What a leaf allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafLimits {
    /// Bytes of memory, page cache and tmpfs included; no swap beyond.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Processor time, in percent of one processor.
    pub cpu_percent: u64,
    /// Bytes a second from, and as many to, each disk.
    pub io_bytes: u64,
}

/// What a leaf's processes used, as far as the kernel says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Most memory held at once, in bytes.
    pub(crate) memory_peak: u64,
    /// Processes the kernel killed because the memory limit was reached.
    pub(crate) memory_kills: u64,
    /// Most processes and threads at once.
    pub(crate) pids_peak: u64,
    /// Processes and threads that were not made because the limit was reached.
    pub(crate) pids_refused: u64,
    /// Bytes written to disks.
    pub(crate) disk_written: u64,
}

/// The parent group of one agentd: one directory, or one a controller. Dropped by the
/// process that made it, it is removed; its leaves must be empty of processes by then.
#[derive(Debug)]
pub struct Parent {
    version: Version,
    directories: Vec<PathBuf>,
    made_by: u32,
}

impl Drop for Parent {
    fn drop(&mut self) {
        // A clone in another pid namespace holds a copy, and other numbers.
        if self.made_by == std::process::id() {
            self.directories.iter().for_each(|one| remove_tree(one));
        }
    }
}

impl Parent {
    /// As root on the host: removes what dead agentds left, makes this one's
    /// group and gives it to `owner`.
    ///
    /// # Errors
    /// [`Refusal`] with `sandbox.cgroup` if a controller is missing.
    pub(crate) fn create(owner: u32) -> Result<Self, Refusal> {
        let version = Version::of_host();
        let mut parent = Self {
            version,
            directories: Vec::new(),
            made_by: std::process::id(),
        };
        for hierarchy in version.hierarchies()? {
            sweep(&hierarchy);
            let directory = hierarchy.join(format!("{}{}", prefix(), std::process::id()));
            let failed = || format!("the group {} could not be made", directory.display());
            fs::create_dir(&directory).at(&code::SANDBOX_CGROUP, failed)?;
            parent.directories.push(directory.clone());
            if version == Version::Two {
                version::hand_down(&directory)?;
                fs::create_dir(directory.join(OWN)).at(&code::SANDBOX_CGROUP, failed)?;
            }
            for file in version.delegated() {
                std::os::unix::fs::chown(directory.join(file), Some(owner), Some(owner))
                    .at(&code::SANDBOX_CGROUP, failed)?;
            }
        }
        Ok(parent)
    }

    /// The directories, and the name that each has in agentd's tree.
    pub(crate) fn directories(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.version
            .names()
            .iter()
            .copied()
            .zip(self.directories.iter().map(PathBuf::as_path))
    }

    /// Puts the calling process into agentd's own leaf, where version 2 needs it: a
    /// process may only be moved by somebody who may write to the group that both
    /// its old and its new place are in.
    pub(crate) fn join_own(&self) -> Result<(), Refusal> {
        if self.version == Version::One {
            return Ok(());
        }
        for directory in &self.directories {
            join(open_door(&directory.join(OWN))?)?;
        }
        Ok(())
    }
}

/// The disks that a limit of traffic is for, one `MAJOR:MINOR` a line, for agentd's
/// tree: inside there is no /sys to look in.
///
/// # Errors
/// `sandbox.cgroup` if they are not known: a limit without them would be none.
pub(crate) fn disks() -> Result<Vec<u8>, Refusal> {
    version::disks(Path::new("/sys/block"))
        .map(String::into_bytes)
        .at(&code::SANDBOX_CGROUP, || {
            "the disks to limit are not known".to_owned()
        })
}

/// What the groups of this process-id namespace are called by: agentds of several
/// namespaces may share a hierarchy, and each knows only its own numbers.
fn prefix() -> String {
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits = |c: &char| c.is_ascii_digit();
    let number: String = space.to_string_lossy().chars().filter(digits).collect();
    format!("{PREFIX}{number}-")
}

/// Removes the groups of agentds that are no longer running, and what another with
/// this one's number left. What cannot be removed still holds a process and is left
/// to the next start.
fn sweep(hierarchy: &Path) {
    let prefix = prefix();
    let Ok(entries) = fs::read_dir(hierarchy) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix.as_str()))
            .and_then(|pid| pid.parse::<u32>().ok());
        if let Some(pid) = owner
            && (pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists())
        {
            remove_tree(&entry.path());
        }
    }
}

fn remove_tree(directory: &Path) {
    if let Ok(entries) = fs::read_dir(directory) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _busy = remove_emptied(&entry.path(), Duration::from_secs(2));
            }
        }
    }
    let _busy = remove_emptied(directory, Duration::from_secs(2));
}

/// Removes one group, waiting for its last processes to be gone: a killed process
/// leaves its group a moment after it was reaped.
fn remove_emptied(directory: &Path, patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(e) => return Err(e),
        }
    }
}

/// One sandbox's group. Dropped, it removes itself.
#[derive(Debug)]
pub(crate) struct Leaf {
    version: Version,
    directories: Vec<PathBuf>,
    /// Each limit's file and what was written to it.
    settled: Vec<(&'static str, String)>,
}

impl Leaf {
    /// Makes the leaf `name` in agentd's tree, below `groups`, without limits.
    pub(crate) fn create(groups: &Path, name: &str) -> Result<Self, Refusal> {
        let version = Version::brought_along(groups);
        let mut leaf = Self {
            version,
            directories: Vec::new(),
            settled: Vec::new(),
        };
        for parent in version.names() {
            let directory = groups.join(parent).join(name);
            fs::create_dir(&directory).at(&code::SANDBOX_CGROUP, || {
                format!("the group {} could not be made", directory.display())
            })?;
            leaf.directories.push(directory);
        }
        Ok(leaf)
    }

    /// Gives the leaf the sandbox's name and limits. Whoever joined it before is
    /// under them from then on.
    pub(crate) fn settle(
        &mut self,
        name: &str,
        limits: LeafLimits,
        disks: &str,
    ) -> Result<(), Refusal> {
        for directory in &mut self.directories {
            let named = directory.with_file_name(name);
            if self.version == Version::Two {
                // Groups of version 2 cannot be renamed: the number stays.
                break;
            }
            fs::rename(&directory, &named).at(&code::SANDBOX_CGROUP, || {
                format!("the group {} could not be made", named.display())
            })?;
            *directory = named;
        }
        if !Layer::ControlGroup.stands() {
            return Ok(());
        }
        for (file, value) in self.version.limits(limits, disks) {
            let set = self
                .file(file)
                .ok_or(io::Error::from(io::ErrorKind::NotFound))
                .and_then(|path| fs::write(path, &value));
            match set {
                Ok(()) => self.settled.push((file, value)),
                Err(e) if e.kind() == io::ErrorKind::NotFound && version::is_swap(file) => {}
                Err(e) => {
                    let what = format!("the limit {file} could not be set to {value}");
                    return Err(Refusal::new(&code::SANDBOX_CGROUP, what, e));
                }
            }
        }
        Ok(())
    }

    /// Whether the kernel says of the group what was settled, and holds somebody to it.
    pub(crate) fn stands(&self) -> Result<(), String> {
        if self.settled.is_empty() {
            return Err("no limit was set".to_owned());
        }
        for (file, value) in &self.settled {
            let found = self.text(file);
            // More may be on the line: what is not limited of the same disk.
            let holds = |line: &str| {
                line.strip_prefix(value)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            };
            if !found.lines().any(holds) {
                return Err(format!("{file} is {}, not {value}", found.trim()));
            }
        }
        for directory in &self.directories {
            let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            if members.trim().is_empty() {
                return Err(format!("nobody is in {}", directory.display()));
            }
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let place = self.version.place(name)?;
        Some(self.directories.get(place)?.join(name))
    }

    fn text(&self, name: &str) -> String {
        self.file(name)
            .and_then(|path| fs::read_to_string(path).ok())
            .unwrap_or_default()
    }

    /// What its processes used; what is unknown is 0.
    pub(crate) fn usage(&self) -> Usage {
        self.version.usage(|name| self.text(name))
    }

    /// The join files, opened by agentd: the kernel judges a join by who opened
    /// the file, so the launcher can use them and nothing inside ever sees them.
    pub(crate) fn doors(&self) -> Result<Vec<OwnedFd>, Refusal> {
        self.directories.iter().map(|one| open_door(one)).collect()
    }

    /// Removes it, once its last process is gone; whether it is gone.
    pub(crate) fn remove(mut self) -> bool {
        let directories = std::mem::take(&mut self.directories);
        let mut gone = true;
        for directory in directories {
            gone &= remove_emptied(&directory, Duration::from_secs(5)).is_ok();
        }
        gone
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        for directory in &self.directories {
            // A leaf still busy after this is removed at the next start.
            let _busy = remove_emptied(directory, Duration::from_secs(5));
        }
    }
}

fn open_door(group: &Path) -> Result<OwnedFd, Refusal> {
    OpenOptions::new()
        .write(true)
        .open(group.join("cgroup.procs"))
        .map(OwnedFd::from)
        .at(&code::SANDBOX_CGROUP, || {
            format!("the group {} cannot be joined", group.display())
        })
}

/// Puts the calling process into the group whose `cgroup.procs` is `door`.
pub(crate) fn join(door: OwnedFd) -> Result<(), Refusal> {
    fs::File::from(door)
        .write_all(b"0")
        .at(&code::SANDBOX_CGROUP, || {
            "the sandbox's group could not be joined".to_owned()
        })
}
