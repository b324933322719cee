//! The tree agentd itself lives in, built by root before agentd is confined.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

use super::enclosure::{JOBS, STAGE};
use super::layer::Layer;
use super::mounts;
use super::refusal::{At, Refusal};
use super::sys;
use crate::code;

const QUIET: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// Where the new tree hangs until it becomes the root. Any directory will do, in
/// a mount namespace of our own; what it hides is already held by descriptor.
const HANGER: &str = "/tmp";

/// Detached mounts and the places they will have.
#[derive(Debug)]
pub(crate) struct Tree {
    base: OwnedFd,
    jobs: OwnedFd,
    devices: Devices,
    parts: Vec<Part>,
    files: Vec<(PathBuf, Vec<u8>)>,
    links: Vec<(PathBuf, PathBuf)>,
}

/// Our five devices by name, or, without that layer, the host's whole `/dev`.
#[derive(Debug)]
enum Devices {
    Ours(Vec<(&'static str, OwnedFd)>),
    Hosts(OwnedFd),
}

#[derive(Debug)]
struct Part {
    mount: OwnedFd,
    at: PathBuf,
    directory: bool,
}

impl Tree {
    /// An empty tree, with the five devices of the host taken hold of. `owner` may
    /// write where jobs are made, and nowhere else.
    pub(crate) fn new(owner: u32) -> Result<Self, Refusal> {
        let devices = if Layer::Devices.stands() {
            ["null", "zero", "full", "random", "urandom"]
                .into_iter()
                .map(|name| Ok((name, copy(&Path::new("/dev").join(name))?)))
                .collect::<Result<_, Refusal>>()
                .map(Devices::Ours)?
        } else {
            Devices::Hosts(copy(Path::new("/dev"))?)
        };
        Ok(Self {
            base: mounts::make(
                "tmpfs",
                &[("mode", "755"), ("size", "1m")],
                MountAttrFlags::empty(),
            )?,
            jobs: jobs(owner)?,
            devices,
            parts: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
        })
    }

    /// The host's `from`, read-only, executable, at `at`.
    pub(crate) fn bind(&mut self, from: &Path, at: &str) -> Result<(), Refusal> {
        self.take(from, at, QUIET | libc::MOUNT_ATTR_RDONLY)
    }

    /// The host's `from`, writable, at `at`.
    pub(crate) fn bind_writable(&mut self, from: &Path, at: &str) -> Result<(), Refusal> {
        self.take(from, at, QUIET | libc::MOUNT_ATTR_NOEXEC)
    }

    fn take(&mut self, from: &Path, at: &str, attributes: u64) -> Result<(), Refusal> {
        let mount = copy(from)?;
        sys::set_mount_attributes(mount.as_fd(), attributes, false)
            .at(&code::SANDBOX_MOUNT, || {
                format!("{} could not be protected", from.display())
            })?;
        self.mount(mount, at)
    }

    /// A mount that is attached nowhere yet, at `at`.
    pub(crate) fn mount(&mut self, mount: OwnedFd, at: &str) -> Result<(), Refusal> {
        let failed = || format!("{at} is not a place");
        let kind = rustix::fs::fstat(&mount).at(&code::SANDBOX_MOUNT, failed)?;
        let kind = rustix::fs::FileType::from_raw_mode(kind.st_mode);
        let at = Path::new(at)
            .strip_prefix("/")
            .at(&code::SANDBOX_MOUNT, failed)?;
        self.parts.push(Part {
            mount,
            at: at.to_owned(),
            directory: kind == rustix::fs::FileType::Directory,
        });
        Ok(())
    }

    /// A small file with these bytes, at `at`.
    pub(crate) fn file(&mut self, at: &str, bytes: Vec<u8>) {
        self.files.push((below(Path::new(""), at), bytes));
    }

    /// A symbolic link to `target`, at `at`.
    pub(crate) fn link(&mut self, at: &str, target: PathBuf) {
        self.links.push((below(Path::new(""), at), target));
    }

    /// Makes this tree the root of the calling process's mount namespace, which
    /// must be its own.
    pub(crate) fn enter(self) -> Result<(), Refusal> {
        let failed = || "agentd's tree could not be built".to_owned();
        rustix::mount::mount_change(
            "/",
            MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
        )
        .at(&code::SANDBOX_MOUNT, failed)?;
        let root = Path::new(HANGER);
        attach(&self.base, root).at(&code::SANDBOX_MOUNT, failed)?;
        for place in [JOBS, STAGE, "/proc", "/dev"] {
            fs::create_dir(below(root, place)).at(&code::SANDBOX_MOUNT, failed)?;
        }
        match self.devices {
            Devices::Ours(devices) => hang_devices(&below(root, "/dev"), devices)?,
            Devices::Hosts(all) => {
                attach(&all, &below(root, "/dev")).at(&code::SANDBOX_MOUNT, failed)?;
            }
        }
        let processes = mounts::make("proc", &[], MountAttrFlags::empty())?;
        attach(&processes, &below(root, "/proc")).at(&code::SANDBOX_MOUNT, failed)?;
        attach(&self.jobs, &below(root, JOBS)).at(&code::SANDBOX_MOUNT, failed)?;
        for part in &self.parts {
            let place = root.join(&part.at);
            let failed = || format!("/{} could not be mounted", part.at.display());
            if part.directory {
                fs::create_dir_all(&place).at(&code::SANDBOX_MOUNT, failed)?;
            } else {
                let above = place.parent().unwrap_or(root);
                fs::create_dir_all(above).at(&code::SANDBOX_MOUNT, failed)?;
                fs::File::create_new(&place).at(&code::SANDBOX_MOUNT, failed)?;
            }
            attach(&part.mount, &place).at(&code::SANDBOX_MOUNT, failed)?;
        }
        for (at, bytes) in &self.files {
            if let Some(above) = root.join(at).parent() {
                fs::create_dir_all(above).at(&code::SANDBOX_MOUNT, failed)?;
            }
            fs::write(root.join(at), bytes).at(&code::SANDBOX_MOUNT, failed)?;
        }
        for (at, target) in &self.links {
            std::os::unix::fs::symlink(target, root.join(at)).at(&code::SANDBOX_MOUNT, failed)?;
        }
        std::os::unix::fs::symlink("usr/lib", root.join("lib")).at(&code::SANDBOX_MOUNT, failed)?;
        sys::set_mount_attributes(self.base.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
            .at(&code::SANDBOX_MOUNT, failed)?;
        rustix::process::chdir(root).at(&code::SANDBOX_MOUNT, failed)?;
        rustix::process::pivot_root(".", ".").at(&code::SANDBOX_MOUNT, failed)?;
        rustix::mount::unmount(".", UnmountFlags::DETACH).at(&code::SANDBOX_MOUNT, failed)?;
        rustix::process::chdir("/").at(&code::SANDBOX_MOUNT, failed)
    }
}

fn jobs(owner: u32) -> Result<OwnedFd, Refusal> {
    let owner = owner.to_string();
    let options = [
        ("mode", "711"),
        ("size", "1m"),
        ("uid", &owner),
        ("gid", &owner),
    ];
    mounts::make("tmpfs", &options, MountAttrFlags::empty())
}

/// `/dev` as every sandbox copies it: five devices, a place for shared memory,
/// read-only.
fn hang_devices(at: &Path, devices: Vec<(&'static str, OwnedFd)>) -> Result<(), Refusal> {
    let failed = || "/dev could not be built".to_owned();
    let base = mounts::make(
        "tmpfs",
        &[("mode", "755"), ("size", "64k")],
        MountAttrFlags::empty(),
    )?;
    attach(&base, at).at(&code::SANDBOX_MOUNT, failed)?;
    fs::create_dir(at.join("shm")).at(&code::SANDBOX_MOUNT, failed)?;
    for (name, device) in devices {
        let place = at.join(name);
        fs::File::create_new(&place).at(&code::SANDBOX_MOUNT, failed)?;
        sys::set_mount_attributes(
            device.as_fd(),
            libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
            false,
        )
        .at(&code::SANDBOX_MOUNT, failed)?;
        attach(&device, &place).at(&code::SANDBOX_MOUNT, failed)?;
    }
    sys::set_mount_attributes(base.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
        .at(&code::SANDBOX_MOUNT, failed)
}

fn below(root: &Path, place: &str) -> PathBuf {
    root.join(place.trim_start_matches('/'))
}

fn copy(from: &Path) -> Result<OwnedFd, Refusal> {
    rustix::mount::open_tree(
        CWD,
        from,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )
    .at(&code::SANDBOX_MOUNT, || {
        format!("{} could not be taken into agentd's tree", from.display())
    })
}

fn attach(mount: &OwnedFd, at: &Path) -> rustix::io::Result<()> {
    rustix::mount::move_mount(mount, c"", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
