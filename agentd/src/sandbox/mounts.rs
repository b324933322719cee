//! The tree a sandbox sees: a pack, read-only, with private mounts over it.
//!
//! Everything is placed by descriptor (`open_tree`, `fsmount`, `move_mount`) below
//! a root that is not reachable by the sandboxed yet, so no path of the old tree
//! is looked up twice. Nothing that may be written may also be executed, nothing
//! honours set-id bits, and only the five devices of `/dev` are devices.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::identity::INSIDE;
use super::layer::Layer;
use super::refusal::{At, Refusal};
use super::sys;
use crate::code;

/// One mount over the pack, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Mount {
    /// An empty private file system, gone with the sandbox.
    #[n(0)]
    Private {
        /// Where, inside.
        #[n(0)]
        at: String,
        /// Bytes it may hold.
        #[n(1)]
        bytes: u64,
        /// Files and directories it may hold.
        #[n(2)]
        inodes: u64,
        /// Permission bits of its root.
        #[n(3)]
        mode: u32,
    },
    /// A file or directory of agentd's tree.
    #[n(1)]
    Bind {
        /// Where, in agentd's tree.
        #[n(0)]
        from: String,
        /// Where, inside.
        #[n(1)]
        at: String,
        /// Whether it may be written.
        #[n(2)]
        writable: bool,
        /// Whether it may be executed.
        #[n(3)]
        executable: bool,
    },
    /// The five harmless devices, from agentd's own `/dev`.
    #[n(2)]
    Devices,
    /// The processes of this sandbox, and only those of one's own.
    #[n(3)]
    Processes {
        /// Whether a namespace's maps can be written there.
        #[n(0)]
        writable: bool,
    },
    /// Makes what was built at this place read-only from here on.
    #[n(4)]
    Freeze {
        /// Where, inside.
        #[n(0)]
        at: String,
    },
}

const QUIET: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// Replaces the root of the calling process's mount namespace by the tree at
/// `pack` with `mounts` over it. Afterwards nothing else is reachable by path.
///
/// `stage` is any directory of the old tree; the new root hangs there meanwhile.
pub(crate) fn enter_root(pack: &Path, stage: &Path, mounts: &[Mount]) -> Result<(), Refusal> {
    let failed = || "the new root could not be entered".to_owned();
    // Private first: nothing done here may show in agentd's namespace, or theirs.
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )
    .at(&code::SANDBOX_MOUNT, failed)?;
    // With what is mounted below it: a pack is one mount, a build host's tree many.
    let root = copy_all(pack)?;
    sys::set_mount_attributes(root.as_fd(), QUIET | libc::MOUNT_ATTR_RDONLY, true)
        .at(&code::SANDBOX_MOUNT, failed)?;
    attach(root.as_fd(), CWD, stage).at(&code::SANDBOX_MOUNT, failed)?;
    for mount in mounts {
        mount.place(root.as_fd())?;
    }
    rustix::process::fchdir(&root).at(&code::SANDBOX_MOUNT, failed)?;
    // With both arguments ".", the old root ends up stacked on the new one and
    // needs no directory inside it; see pivot_root(2).
    rustix::process::pivot_root(".", ".").at(&code::SANDBOX_MOUNT, failed)?;
    if Layer::Root.stands() {
        rustix::mount::unmount(".", UnmountFlags::DETACH).at(&code::SANDBOX_MOUNT, failed)?;
    }
    rustix::process::chdir("/").at(&code::SANDBOX_MOUNT, failed)
}

impl Mount {
    /// Places this mount below `root`.
    fn place(&self, root: BorrowedFd<'_>) -> Result<(), Refusal> {
        match self {
            Self::Private {
                at,
                bytes,
                inodes,
                mode,
            } => {
                let made = private(*bytes, *inodes, *mode)?;
                hang(made.as_fd(), root, at, true)
            }
            Self::Bind {
                from,
                at,
                writable,
                executable,
            } => {
                let tree = copy(Path::new(from))?;
                let mut set = if Layer::MountFlags.stands() { QUIET } else { 0 };
                if !writable {
                    set |= libc::MOUNT_ATTR_RDONLY;
                }
                if !executable && Layer::MountFlags.stands() {
                    set |= libc::MOUNT_ATTR_NOEXEC;
                }
                sys::set_mount_attributes(tree.as_fd(), set, false)
                    .at(&code::SANDBOX_MOUNT, || {
                        format!("{at} could not be protected")
                    })?;
                let directory = is_directory(tree.as_fd(), from)?;
                hang(tree.as_fd(), root, at, directory)
            }
            Self::Devices => {
                // One recursive copy carries all of agentd's /dev, see enclosure.rs.
                let tree = copy_all(Path::new("/dev"))?;
                hang(tree.as_fd(), root, "/dev", true)
            }
            Self::Processes { writable } => {
                let options: &[_] = if Layer::Processes.stands() {
                    &[("hidepid", "invisible"), ("subset", "pid")]
                } else {
                    &[]
                };
                let made = if Layer::PidNamespace.stands() {
                    let mut how = MountAttrFlags::MOUNT_ATTR_RDONLY;
                    if *writable {
                        how = MountAttrFlags::empty();
                    }
                    make("proc", options, how)?
                } else {
                    copy(Path::new("/proc"))?
                };
                hang(made.as_fd(), root, "/proc", true)
            }
            Self::Freeze { at } => {
                let place = find(root, at, true)?;
                sys::set_mount_attributes(place.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
                    .at(&code::SANDBOX_MOUNT, || {
                        format!("{at} could not be made read-only")
                    })
            }
        }
    }
}

/// An empty file system of the sandbox's one identity.
fn private(bytes: u64, inodes: u64, mode: u32) -> Result<OwnedFd, Refusal> {
    let size = bytes.to_string();
    let inodes = inodes.to_string();
    let mode = format!("{mode:o}");
    let owner = INSIDE.to_string();
    let options = [
        ("mode", mode.as_str()),
        ("uid", &owner),
        ("gid", &owner),
        ("size", &size),
        ("nr_inodes", &inodes),
    ];
    let options = options.get(..if Layer::Sizes.stands() { 5 } else { 3 });
    make(
        "tmpfs",
        options.unwrap_or_default(),
        MountAttrFlags::empty(),
    )
}

/// A new file system instance, mounted nowhere yet.
pub(crate) fn make(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Refusal> {
    let failed = || format!("a {kind} could not be made");
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)
        .at(&code::SANDBOX_MOUNT, failed)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(&context, *key, *value)
            .at(&code::SANDBOX_MOUNT, || {
                format!("a {kind} does not take {key}={value}")
            })?;
    }
    rustix::mount::fsconfig_create(&context).at(&code::SANDBOX_MOUNT, failed)?;
    let quiet = if Layer::MountFlags.stands() {
        MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
    } else {
        MountAttrFlags::empty()
    };
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes | quiet)
        .at(&code::SANDBOX_MOUNT, failed)
}

/// A detached copy of the mount at `from` and of all that is mounted below it.
fn copy_all(from: &Path) -> Result<OwnedFd, Refusal> {
    detached(from, OpenTreeFlags::AT_RECURSIVE)
}

/// A detached copy of the mount at `from`, without what is mounted below it.
fn copy(from: &Path) -> Result<OwnedFd, Refusal> {
    detached(from, OpenTreeFlags::empty())
}

/// The path is in agentd's tree. No part of it may be a symbolic link: some of it was
/// written by a job, or by a supervisor that a job took over.
fn detached(from: &Path, how: OpenTreeFlags) -> Result<OwnedFd, Refusal> {
    rustix::fs::openat2(
        CWD,
        from,
        OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
    .and_then(|place| {
        rustix::mount::open_tree(
            place,
            c"",
            OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH
                | how,
        )
    })
    .at(&code::SANDBOX_MOUNT, || {
        format!("{} could not be taken into the sandbox", from.display())
    })
}

fn is_directory(tree: BorrowedFd<'_>, name: &str) -> Result<bool, Refusal> {
    let kind =
        rustix::fs::fstat(tree).at(&code::SANDBOX_MOUNT, || format!("{name} has no kind"))?;
    match rustix::fs::FileType::from_raw_mode(kind.st_mode) {
        rustix::fs::FileType::Directory => Ok(true),
        rustix::fs::FileType::RegularFile => Ok(false),
        other => Err(Refusal::new(
            &code::SANDBOX_MOUNT,
            format!("{name} could not be taken into the sandbox"),
            format!("it is a {other:?}, not a file or directory"),
        )),
    }
}

/// Attaches `tree` at `at` below `root`, making the place first where a private
/// file system of the sandbox's own is there to make it in.
fn hang(
    tree: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    at: &str,
    directory: bool,
) -> Result<(), Refusal> {
    let place = find(root, at, directory)?;
    rustix::mount::move_mount(
        tree,
        c"",
        place.as_fd(),
        c"",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
    .at(&code::SANDBOX_MOUNT, || {
        format!("{at} could not be mounted")
    })
}

fn attach(tree: BorrowedFd<'_>, directory: BorrowedFd<'_>, at: &Path) -> rustix::io::Result<()> {
    rustix::mount::move_mount(
        tree,
        c"",
        directory,
        at,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
}

/// The place `at` below `root`, made if need be. No symbolic link is followed:
/// the pack is trusted to be what was signed, but not to redirect a mount.
fn find(root: BorrowedFd<'_>, at: &str, directory: bool) -> Result<OwnedFd, Refusal> {
    let failed = || format!("the pack has no place {at}");
    let inside: PathBuf = Path::new(at)
        .strip_prefix("/")
        .at(&code::SANDBOX_MOUNT, failed)?
        .to_owned();
    let open = || {
        rustix::fs::openat2(
            root,
            &inside,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS,
        )
    };
    match open() {
        Err(rustix::io::Errno::NOENT) => make_place(root, &inside, directory)
            .and_then(|()| open())
            .at(&code::SANDBOX_MOUNT, failed),
        found => found.at(&code::SANDBOX_MOUNT, failed),
    }
}

fn make_place(root: BorrowedFd<'_>, inside: &Path, directory: bool) -> rustix::io::Result<()> {
    let mut so_far = PathBuf::new();
    for part in inside.parent().into_iter().flat_map(Path::components) {
        so_far.push(part);
        match rustix::fs::mkdirat(root, &so_far, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
    }
    if directory {
        rustix::fs::mkdirat(root, inside, Mode::from_raw_mode(0o755))
    } else {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::openat(
            root,
            inside,
            flags | OFlags::WRONLY,
            Mode::from_raw_mode(0o444),
        )
        .map(drop)
    }
}
