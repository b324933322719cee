//! The attempts, as `agentd probe` makes them wherever it is started. It tells what
//! came of each over one descriptor and ends.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

use casemate_protocol::frame;
use nix::sched::CloneFlags;
use rustix::fs::{MemfdFlags, StatVfsMountFlags};
use rustix::mount::FsOpenFlags;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Resource};
use rustix::thread::Uid;

use super::Finding;
use super::expected::Place;
use crate::sandbox::enclosure::{AGENTD, GROUPS};
use crate::sandbox::sys::{self, Surface};

/// No program is there.
const NOWHERE: &str = "/nonexistent";

/// What is done, and what is said of it.
type Attempt = fn() -> String;

/// In this order: the last two change the process, where they succeed.
const ATTEMPTS: [(&str, Attempt); 24] = [
    ("agentd-itself", || made(fs::File::open(AGENTD))),
    ("control-groups", || made(fs::read_dir(GROUPS))),
    ("execute", execute),
    ("new-process", || made(Command::new(NOWHERE).spawn())),
    ("internet-socket", || made(socket(AddressFamily::INET))),
    ("hypervisor-socket", || made(socket(AddressFamily::VSOCK))),
    ("netlink-socket", || made(socket(AddressFamily::NETLINK))),
    ("ring", || made(sys::reach(Surface::Ring))),
    ("clone3", || made(sys::reach(Surface::Clone3))),
    ("key", || made(sys::reach(Surface::Keys))),
    ("memory-file", memory_file),
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

/// Makes the attempts of a place, or all of them.
pub(super) fn make(place: Option<Place>) -> Vec<Finding> {
    ATTEMPTS
        .iter()
        .filter(|(name, _)| place.is_none_or(|place| place.asks(name)))
        .map(|(name, attempt)| Finding {
            attempt: (*name).to_owned(),
            answer: attempt(),
        })
        .collect()
}

/// The whole life of `agentd probe`: `number` is the descriptor to tell it over. By 0
/// it is the control and makes every attempt there is.
pub fn main(number: i32) -> ExitCode {
    let answers = make((number != 0).then_some(Place::Sandbox));
    let told = listener(number).and_then(|to| {
        frame::write(&mut &to, &answers)?;
        // Until it is let go: somebody looks at it from outside meanwhile.
        (&to).read(&mut [0])
    });
    // The last attempt kills, where it shall: who waits for this process sees.
    let _refused = sys::reach(Surface::Foreign);
    match told {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Nothing is there to be executed; a filter answers before that is known.
fn execute() -> String {
    let none: [&std::ffi::CStr; 0] = [];
    match nix::unistd::execve(c"/nonexistent", &none, &none) {
        Err(errno) => format!("errno {}", errno as i32),
        Ok(never) => match never {},
    }
}

/// Executes a memory file. Nothing is in it, so that even where it may be executed
/// this process goes on.
fn memory_file() -> String {
    let file = match rustix::fs::memfd_create("", MemfdFlags::empty()) {
        Ok(file) => file,
        Err(errno) => return made::<(), _>(Err(errno)),
    };
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    let none: [&std::ffi::CStr; 0] = [];
    match nix::unistd::execve(&path, &none, &none) {
        Err(errno) => format!("errno {}", errno as i32),
        Ok(never) => match never {},
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
    // The one that the list was read through is closed by now.
    open.retain(|fd| fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
    open.sort_unstable();
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
