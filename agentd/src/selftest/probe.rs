//! The attempts, as `agentd probe` makes them wherever it is started. It tells what
//! came of each over one descriptor and ends.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use casemate_protocol::frame;
use nix::sched::CloneFlags;
use rustix::fs::StatVfsMountFlags;
use rustix::mount::FsOpenFlags;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Resource};
use rustix::thread::Uid;

use super::Finding;
use crate::sandbox::sys::{self, Surface};

/// What is done, and what is said of it.
type Attempt = fn() -> String;

/// In this order: the last two change the process, where they succeed.
pub(super) const ATTEMPTS: [(&str, Attempt); 19] = [
    ("internet-socket", || made(socket(AddressFamily::INET))),
    ("hypervisor-socket", || made(socket(AddressFamily::VSOCK))),
    ("netlink-socket", || made(socket(AddressFamily::NETLINK))),
    ("ring", || made(sys::reach(Surface::Ring))),
    ("clone3", || made(sys::reach(Surface::Clone3))),
    ("key", || made(sys::reach(Surface::Keys))),
    ("mount", || {
        made(rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC))
    }),
    ("list-root", || made(fs::read_dir("/"))),
    ("first-process", || made(fs::read("/proc/1/status"))),
    ("kernel-settings", || {
        made(fs::read("/proc/sys/kernel/osrelease"))
    }),
    ("signal-first", || {
        made(
            Pid::from_raw(1)
                .ok_or(rustix::io::Errno::SRCH)
                .and_then(rustix::process::test_kill_process),
        )
    }),
    ("identity", || of_status(&["Uid", "Gid"])),
    ("capabilities", || {
        of_status(&["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
    }),
    ("confined", || of_status(&["NoNewPrivs", "Seccomp"])),
    ("descriptors", descriptors),
    ("core-limit", || {
        format!("{:?}", rustix::process::getrlimit(Resource::Core).maximum)
    }),
    ("written-files", written_files),
    ("another-identity", || {
        let other = Uid::from_raw(7);
        made(rustix::thread::set_thread_res_uid(other, other, other))
    }),
    ("user-namespace", || {
        made(nix::sched::unshare(CloneFlags::CLONE_NEWUSER))
    }),
];

/// The whole life of `agentd probe`: `number` is the descriptor to tell it over.
pub fn main(number: i32) -> ExitCode {
    let answers: Vec<Finding> = ATTEMPTS
        .iter()
        .map(|(name, attempt)| Finding {
            attempt: (*name).to_owned(),
            answer: attempt(),
        })
        .collect();
    let told = listener(number).and_then(|to| frame::write(&mut &to, &answers));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn listener(number: i32) -> io::Result<UnixStream> {
    if number == 0 {
        let copy = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
        return Ok(UnixStream::from(copy));
    }
    sys::adopt(number).map(UnixStream::from)
}

fn made<T, E: Into<io::Error>>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(e) => match e.into().raw_os_error() {
            Some(errno) => format!("errno {errno}"),
            None => "failed".to_owned(),
        },
    }
}

fn socket(family: AddressFamily) -> rustix::io::Result<std::os::fd::OwnedFd> {
    let kind = if family == AddressFamily::NETLINK {
        SocketType::RAW
    } else {
        SocketType::STREAM
    };
    rustix::net::socket(family, kind, None)
}

/// What the kernel says of this process, one word a key.
fn of_status(keys: &[&str]) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let words: Vec<&str> = keys
        .iter()
        .map(|key| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
                .and_then(|rest| rest.split_whitespace().next())
                .unwrap_or("?")
        })
        .collect();
    words.join(" ")
}

/// The numbers that are open, without the one that lists them.
fn descriptors() -> String {
    let mut open: Vec<i32> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    open.sort_unstable();
    open.pop();
    format!("{open:?}")
}

/// What does not count of what is written to /tmp.
fn written_files() -> String {
    match rustix::fs::statvfs("/tmp") {
        Ok(found) => {
            let flags = [
                (StatVfsMountFlags::NOEXEC, "noexec"),
                (StatVfsMountFlags::NOSUID, "nosuid"),
                (StatVfsMountFlags::NODEV, "nodev"),
            ];
            let set = flags
                .iter()
                .filter(|(flag, _)| found.f_flag.contains(*flag));
            set.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
        }
        Err(e) => made::<(), _>(Err(e)),
    }
}
