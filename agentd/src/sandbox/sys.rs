//! The system calls that no safe wrapper covers.
//!
//! This is the only module of the workspace with `unsafe`. Everything here has a
//! safe signature: a caller cannot break memory safety, whatever it passes. What
//! `rustix` and `nix` offer safely is used from there and not repeated, except
//! [`open_beneath`], which fixes the flags every path of a job is opened with.

#![expect(
    unsafe_code,
    reason = "raw system calls without a safe wrapper; one operation a block"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// Which side of a clone the caller is on.
#[derive(Debug)]
pub enum Side {
    /// The new process.
    Child,
    /// The old process, with the new one's pid in the caller's pid namespace.
    Parent(rustix::process::Pid),
}

/// Clones the calling process with `flags` (`CLONE_NEW*` or none) and SIGCHLD as
/// its exit signal; the memory is copied, as by fork.
///
/// # Errors
/// `EBUSY` if the process has more than one thread: the child of a threaded
/// process may do almost nothing, so it is not offered. Else the kernel's error.
pub fn clone_process(flags: libc::c_int) -> io::Result<Side> {
    if thread_count()? != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    let sharing = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_FS | libc::CLONE_SIGHAND;
    if flags & (sharing | libc::CLONE_THREAD | libc::CLONE_VFORK | libc::CLONE_SETTLS) != 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: clone(2) without CLONE_VM and with a null stack is fork(2): the
    // child gets a copy of this memory. It obliges the caller to have no other
    // thread whose locks the child would inherit, which was checked above; the
    // remaining pointers are unused without the flags that were refused above.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match pid {
        0 => Ok(Side::Child),
        pid if pid > 0 => i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .map(Side::Parent)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EOVERFLOW)),
        _ => Err(io::Error::last_os_error()),
    }
}

fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Marks every descriptor from `first` up close-on-exec.
///
/// # Errors
/// The kernel's error.
pub fn close_on_exec(first: u32) -> io::Result<()> {
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC only sets flags and closes
    // nothing, so no owned descriptor becomes invalid.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Closes every descriptor above the standard three.
///
/// Only as the first thing a process does, when it owns none of them: whoever
/// would still use one meets `EBADF`, or another file, but breaks no memory.
///
/// # Errors
/// The kernel's error.
pub fn close_inherited() -> io::Result<()> {
    // SAFETY: close_range(2) takes integers; no memory is involved.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes `fd` number `at`, to be inherited by exec, closing what was there.
///
/// Only for a process about to exec, which is why the number may be taken from
/// whoever holds it: an owner that still uses it afterwards meets `fd` instead,
/// which is wrong but breaks no memory.
///
/// # Errors
/// The kernel's error.
pub fn place_for_exec(fd: BorrowedFd<'_>, at: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == at {
        return Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?);
    }
    // SAFETY: dup2(2) takes two integers; the first is an open descriptor.
    let got = unsafe { libc::dup2(fd.as_raw_fd(), at) };
    if got == at {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets attributes (`MOUNT_ATTR_*`) on the mount, or detached tree, `tree`.
///
/// # Errors
/// The kernel's error.
pub fn set_mount_attributes(tree: BorrowedFd<'_>, set: u64, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let recursion = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static C string and the structure outlives the call;
    // the size passed is that of the structure, so the kernel reads no more.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursion,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Puts every signal back to its default action. An ignored signal stays ignored
/// over exec: SIGPIPE by the Rust runtime, SIGINT by a shell's `&`, whatever by a
/// careless parent.
///
/// # Errors
/// The kernel's error.
pub fn default_signals() -> io::Result<()> {
    let all = (1..32).filter(|signal| !matches!(*signal, libc::SIGKILL | libc::SIGSTOP));
    for signal in all {
        // SAFETY: SIG_DFL installs no handler, so no code of ours can run in signal
        // context.
        let old = unsafe { libc::signal(signal, libc::SIG_DFL) };
        if old == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The descriptor a parent left open at number `number` for this process. The
/// number itself is not inherited further.
///
/// # Errors
/// `EBADF` if it is not open, `EINVAL` for the standard three.
pub fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    if number < 3 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // A duplicate is owned, never the number itself: whoever else thinks to own
    // the number is not harmed.
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and returns a new descriptor.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: F_SETFD takes two integers and closes nothing now.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nothing else owns it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(copy) })
}

/// Puts a filter on the calling thread; what it answers with an error is recorded in
/// the kernel's audit stream, if auditing is on.
///
/// # Errors
/// The kernel's error.
pub fn install_recorded_filter(program: &[seccompiler::sock_filter]) -> io::Result<()> {
    let mut instructions: Vec<libc::sock_filter> = program
        .iter()
        .map(|one| libc::sock_filter {
            code: one.code,
            jt: one.jt,
            jf: one.jf,
            k: one.k,
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len())
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?,
        filter: instructions.as_mut_ptr(),
    };
    // SAFETY: seccomp(2) reads `len` instructions at `filter`; both are of the vector,
    // which outlives the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_LOG,
            &raw const program,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The version of Landlock that the kernel offers.
///
/// # Errors
/// The kernel's error: `ENOSYS` or `EOPNOTSUPP` if it offers none.
pub fn landlock_abi() -> io::Result<u32> {
    const VERSION: libc::c_int = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: with this flag the kernel demands a null pointer and a size of 0, reads
    // no memory and makes no descriptor.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            VERSION,
        )
    };
    u32::try_from(abi).map_err(|_| io::Error::last_os_error())
}

/// Opens `path` below `directory` as agentd opens every path of a job: no
/// symbolic link is followed anywhere in it, it cannot leave `directory`, and it
/// cannot pass through `/proc`'s magic links or into another mount.
///
/// # Errors
/// The kernel's error: `ELOOP` for a symbolic link, `EXDEV` for leaving.
pub fn open_beneath(
    directory: impl AsFd,
    path: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let how = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    // openat2(2): EAGAIN says that something, anywhere, was renamed or mounted meanwhile,
    // so that the kernel cannot say where `..` leads; one is to ask again.
    for _ in 0..1000 {
        match rustix::fs::openat2(directory.as_fd(), path, flags, mode, how) {
            Err(rustix::io::Errno::AGAIN) => {}
            opened => return Ok(opened?),
        }
    }
    Err(rustix::io::Errno::AGAIN.into())
}

/// A part of the kernel that no sandbox may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// `io_uring_setup`.
    Ring,
    /// `clone3`.
    Clone3,
    /// `keyctl`.
    Keys,
    /// `getpid` by x32's table.
    Foreign,
}

/// Asks for a part of the kernel with arguments that it refuses, so that the error
/// tells whether it was asked at all: `EPERM` or `ENOSYS` where a filter stands
/// before it, `EFAULT`, `EINVAL` or `EOPNOTSUPP` where none does.
///
/// # Errors
/// Always, but for a kernel that does what it does not understand, or has x32.
pub fn reach(surface: Surface) -> io::Result<()> {
    let number = match surface {
        Surface::Ring => libc::SYS_io_uring_setup,
        Surface::Clone3 => libc::SYS_clone3,
        Surface::Keys => libc::SYS_keyctl,
        Surface::Foreign => libc::SYS_getpid | 0x4000_0000,
    };
    // io_uring_setup(0 entries, null), clone3(null, size 0), keyctl(no operation of
    // that number): the first argument is -1 for the last only. getpid takes none.
    let first: libc::c_long = if surface == Surface::Keys { -1 } else { 0 };
    // SAFETY: every pointer is null and every size 0, so no memory is read, written
    // or shared; no process, ring or key is made of such arguments.
    let done = unsafe { libc::syscall(number, first, 0, 0, 0, 0, 0) };
    if done >= 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
