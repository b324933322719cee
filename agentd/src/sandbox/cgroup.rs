//! Control groups: what a sandbox as a whole may use.
//!
//! agentd's parent group is made by root before agentd enters its user namespace
//! and is given to agentd's identity; agentd makes one leaf a sandbox below it. A
//! launcher puts itself into the leaf before it clones, so that nothing of a
//! sandbox ever runs outside its leaf.
//!
//! Only version 1 hierarchies are spoken so far; a host whose memory and pids
//! controllers are not there is refused, never run without limits.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layer::Layer;
use super::refusal::{At, Refusal};
use crate::code;

/// Where the host has its hierarchies.
const HOST: &str = "/sys/fs/cgroup";
/// How every group of ours begins, so that a later start recognises it.
const PREFIX: &str = "casemate-agentd-";
/// The controllers a sandbox must have. Order: as joined.
pub(crate) const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// What a leaf allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafLimits {
    /// Bytes of memory, page cache and tmpfs included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// The parent group of one agentd, one directory a controller.
#[derive(Debug)]
pub struct Parent {
    directories: Vec<PathBuf>,
}

impl Parent {
    /// As root on the host: removes what dead agentds left, makes this one's
    /// group and gives it to `owner`.
    ///
    /// # Errors
    /// [`Refusal`] with `sandbox.cgroup` if a controller is missing.
    pub(crate) fn create(owner: u32) -> Result<Self, Refusal> {
        let mut directories = Vec::new();
        for controller in CONTROLLERS {
            let hierarchy = Path::new(HOST).join(controller);
            if !hierarchy.join("cgroup.procs").exists() {
                return Err(Refusal::new(
                    &code::SANDBOX_CGROUP,
                    format!("the {controller} controller cannot be used"),
                    format!("no version 1 hierarchy at {}", hierarchy.display()),
                ));
            }
            sweep(&hierarchy);
            let directory = hierarchy.join(format!("{PREFIX}{}", std::process::id()));
            let failed = || format!("the group {} could not be made", directory.display());
            fs::create_dir(&directory).at(&code::SANDBOX_CGROUP, failed)?;
            directories.push(directory.clone());
            std::os::unix::fs::chown(&directory, Some(owner), Some(owner))
                .at(&code::SANDBOX_CGROUP, failed)?;
        }
        Ok(Self { directories })
    }

    /// The directories, in the order of [`CONTROLLERS`].
    pub(crate) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Removes the group; its leaves must be gone or empty of processes.
    pub(crate) fn remove(&self) {
        for directory in &self.directories {
            remove_tree(directory);
        }
    }
}

/// Removes the groups of agentds that are no longer running. What cannot be
/// removed still holds a process and is left to the next start.
fn sweep(hierarchy: &Path) {
    let Ok(entries) = fs::read_dir(hierarchy) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|pid| pid.parse::<u32>().ok());
        if let Some(pid) = owner
            && !Path::new(&format!("/proc/{pid}")).exists()
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
    directories: Vec<PathBuf>,
}

impl Leaf {
    /// Makes the leaf `name` under `parents` (see [`CONTROLLERS`]), without limits.
    pub(crate) fn create(parents: &[PathBuf], name: &str) -> Result<Self, Refusal> {
        let mut leaf = Self {
            directories: Vec::new(),
        };
        for parent in parents {
            let directory = parent.join(name);
            fs::create_dir(&directory).at(&code::SANDBOX_CGROUP, || {
                format!("the group {} could not be made", directory.display())
            })?;
            leaf.directories.push(directory);
        }
        Ok(leaf)
    }

    /// Gives the leaf the sandbox's name and limits. Whoever joined it before is
    /// under them from then on.
    pub(crate) fn settle(&mut self, name: &str, limits: LeafLimits) -> Result<(), Refusal> {
        for directory in &mut self.directories {
            let named = directory.with_file_name(name);
            fs::rename(&directory, &named).at(&code::SANDBOX_CGROUP, || {
                format!("the group {} could not be made", named.display())
            })?;
            *directory = named;
        }
        if !Layer::ControlGroup.stands() {
            return Ok(());
        }
        self.set("memory.limit_in_bytes", limits.memory_bytes)?;
        self.set("pids.max", limits.pids)
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let controller = name.split('.').next()?;
        let place = CONTROLLERS.iter().position(|known| *known == controller)?;
        Some(self.directories.get(place)?.join(name))
    }

    fn set(&self, name: &str, value: u64) -> Result<(), Refusal> {
        let failed = || format!("the limit {name} could not be set");
        let path = self
            .file(name)
            .ok_or("no such controller")
            .at(&code::SANDBOX_CGROUP, failed)?;
        fs::write(path, value.to_string()).at(&code::SANDBOX_CGROUP, failed)
    }

    fn number(&self, name: &str, key: &str) -> u64 {
        self.file(name)
            .and_then(|path| fs::read_to_string(path).ok())
            .and_then(|text| {
                text.lines()
                    .find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
            })
            .unwrap_or(0)
    }

    /// Most memory the sandbox held, in bytes; 0 if unknown.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.number("memory.max_usage_in_bytes", "")
    }

    /// How many processes the kernel killed for want of memory.
    pub(crate) fn memory_kills(&self) -> u64 {
        self.number("memory.oom_control", "oom_kill ")
    }

    /// The join files, opened by agentd: the kernel judges a join by who opened
    /// the file, so the launcher can use them and nothing inside ever sees them.
    pub(crate) fn doors(&self) -> Result<Vec<OwnedFd>, Refusal> {
        self.directories
            .iter()
            .map(|directory| {
                OpenOptions::new()
                    .write(true)
                    .open(directory.join("cgroup.procs"))
                    .map(OwnedFd::from)
                    .at(&code::SANDBOX_CGROUP, || {
                        format!("the group {} cannot be joined", directory.display())
                    })
            })
            .collect()
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

/// Puts the calling process into the group whose `cgroup.procs` is `door`.
pub(crate) fn join(door: OwnedFd) -> Result<(), Refusal> {
    fs::File::from(door)
        .write_all(b"0")
        .at(&code::SANDBOX_CGROUP, || {
            "the sandbox's group could not be joined".to_owned()
        })
}
