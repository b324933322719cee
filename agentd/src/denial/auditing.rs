//! Root's part: has the kernel write records at all, for the time that somebody
//! reads them.
//!
//! Landlock and seccomp write records only while auditing is on. If it is off, the
//! first of our programs turns it on and the last turns it off again; if it is on
//! already, someone else owns it and only the rules below are added. Whatever of
//! this fails, no layer is weaker for it: denials are just not explained.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Shared by all that have auditing on; its text says whether it was off before.
const LOCK: &str = "/run/casemate-auditing";
/// Most records a second while auditing is ours: what a program that is denied
/// without end may cost the machine. What is over is counted as lost.
const RATE: u32 = 4000;

// linux/audit.h
const GET: u16 = 1000;
const SET: u16 = 1001;
const ADD_RULE: u16 = 1011;
const DEL_RULE: u16 = 1012;
const STATUS_ENABLED: u32 = 1;
const STATUS_RATE_LIMIT: u32 = 8;
const FIELD_UID: u32 = 1;
const FIELD_ARCH: u32 = 11;
const FIELD_EXIT: u32 = 103;
const EQUAL: u32 = 0x4000_0000;
const AT_LEAST: u32 = 0x6000_0000;
const AT_MOST: u32 = 0x5000_0000;

/// An error by which a layer other than Landlock and seccomp denies, and the calls
/// that get it.
#[derive(Debug)]
pub(super) struct Errno {
    pub(super) errno: i32,
    calls: &'static [i64],
}

/// Calls that write to a place by its path. No more of them than are needed: every
/// call of a rule is looked at when it ends.
const WRITERS: [i64; 18] = [
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_creat,
    libc::SYS_truncate,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_chmod,
];
const FILLERS: [i64; 7] = [
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_mkdir,
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_fallocate,
];

/// The rules: a read-only mount, a full file system, too many open files, and a mount
/// that nothing is executed from.
pub(super) const ERRNOS: [Errno; 4] = [
    Errno {
        errno: libc::EROFS,
        calls: &WRITERS,
    },
    Errno {
        errno: libc::ENOSPC,
        calls: &FILLERS,
    },
    Errno {
        errno: libc::EMFILE,
        calls: &[libc::SYS_open, libc::SYS_openat],
    },
    Errno {
        errno: libc::EACCES,
        calls: &[libc::SYS_execve, libc::SYS_execveat],
    },
];

/// Auditing, on for one range of users until this is dropped.
#[derive(Debug)]
pub struct Auditing {
    socket: OwnedFd,
    rules: Vec<Vec<u8>>,
    lock: Option<File>,
    /// A copy of this in another process does nothing.
    owner: u32,
}

impl Auditing {
    /// Turns auditing on if it is off. With `errors`, calls that fail by
    /// [`ERRNOS`] are recorded too, which costs every process of the machine that is
    /// started from then on some 0.2 us a system call and 1 us a file opened.
    ///
    /// # Errors
    /// The kernel's: nothing is recorded then.
    pub fn begin(base: u32, count: u32, errors: bool) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::AUDIT),
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        let mut auditing = Self {
            socket,
            rules: Vec::new(),
            lock: None,
            owner: std::process::id(),
        };
        auditing.turn_on()?;
        if errors {
            let last = base.saturating_add(count.saturating_sub(1));
            for errno in &ERRNOS {
                let rule = rule(errno, base, last);
                // One that is there already is of a program that was killed.
                match auditing.ask(ADD_RULE, &rule) {
                    Err(e) if e.raw_os_error() != Some(libc::EEXIST) => return Err(e),
                    _ => auditing.rules.push(rule),
                }
            }
        }
        Ok(auditing)
    }

    fn turn_on(&mut self) -> io::Result<()> {
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(LOCK)?;
        lock.lock_shared()?;
        let status = self.status()?;
        if status == 0 {
            self.ask(SET, &set(STATUS_ENABLED | STATUS_RATE_LIMIT, 1, RATE))?;
            lock.set_len(0)?;
            lock.write_all(b"off before\n")?;
        }
        self.lock = Some(lock);
        Ok(())
    }

    /// Whether auditing is on: 0 no, 1 yes, 2 and not to be changed.
    fn status(&self) -> io::Result<u32> {
        self.send(GET, &[])?;
        loop {
            let (kind, body) = self.receive()?;
            let word = |at: usize| -> Option<u32> {
                body.get(at..at.saturating_add(4))
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(u32::from_ne_bytes)
            };
            if kind == GET {
                // struct audit_status: mask, enabled, ...
                return word(4).ok_or_else(malformed);
            }
            acknowledged(kind, &body)?;
        }
    }

    fn ask(&self, kind: u16, body: &[u8]) -> io::Result<()> {
        self.send(kind, body)?;
        let (kind, body) = self.receive()?;
        acknowledged(kind, &body)
    }

    fn send(&self, kind: u16, body: &[u8]) -> io::Result<()> {
        const REQUEST_AND_ACKNOWLEDGE: u16 = 5;
        let length = u32::try_from(body.len().saturating_add(16)).map_err(|_| malformed())?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
        message.extend(1u32.to_ne_bytes());
        message.extend(0u32.to_ne_bytes());
        message.extend(body);
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, &message, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    fn receive(&self) -> io::Result<(u16, Vec<u8>)> {
        let mut bytes = vec![0; 16 << 10];
        let (length, _) =
            rustix::net::recv(&self.socket, bytes.as_mut_slice(), RecvFlags::empty())?;
        bytes.truncate(length);
        let body = bytes.split_off(16.min(bytes.len()));
        let kind = bytes.get(4..6).and_then(|two| two.try_into().ok());
        kind.map(|two| (u16::from_ne_bytes(two), body))
            .ok_or_else(malformed)
    }

    /// The last one that has it on turns it off, if it was off.
    fn turn_off(&mut self) -> io::Result<()> {
        let Some(mut lock) = self.lock.take() else {
            return Ok(());
        };
        lock.unlock()?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let mut text = String::new();
        lock.seek(SeekFrom::Start(0))?;
        Read::by_ref(&mut lock).take(64).read_to_string(&mut text)?;
        if text == "off before\n" {
            self.ask(SET, &set(STATUS_ENABLED | STATUS_RATE_LIMIT, 0, 0))?;
            lock.set_len(0)?;
        }
        Ok(())
    }
}

impl Drop for Auditing {
    fn drop(&mut self) {
        if self.owner != std::process::id() {
            return;
        }
        for rule in std::mem::take(&mut self.rules) {
            // What cannot be taken back names users that do nothing any more.
            let _gone = self.ask(DEL_RULE, &rule);
        }
        let _left_on = self.turn_off();
    }
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the kernel's answer is malformed",
    )
}

/// NLMSG_ERROR with 0 is an acknowledgement.
fn acknowledged(kind: u16, body: &[u8]) -> io::Result<()> {
    const NLMSG_ERROR: u16 = 2;
    let error = body.get(..4).and_then(|bytes| bytes.try_into().ok());
    match (kind, error.map(i32::from_ne_bytes)) {
        (NLMSG_ERROR, Some(0)) => Ok(()),
        (NLMSG_ERROR, Some(error)) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        _ => Err(malformed()),
    }
}

/// `struct audit_status`: mask, enabled, failure, pid, rate_limit, backlog_limit,
/// lost, backlog, feature_bitmap, backlog_wait_time.
fn set(mask: u32, enabled: u32, rate: u32) -> Vec<u8> {
    [mask, enabled, 0, 0, rate, 0, 0, 0, 0, 0]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect()
}

/// `struct audit_rule_data`: filter list, action, number of fields, a bit a system
/// call, then fields, values and operators, and the length of strings.
fn rule(errno: &Errno, first: u32, last: u32) -> Vec<u8> {
    const FILTER_EXIT: u32 = 4;
    const ALWAYS: u32 = 2;
    const ARCH_X86_64: u32 = 0xC000_003E;
    let fields = [
        // First what most calls differ in: the rest is not looked at then.
        (FIELD_EXIT, (-errno.errno).cast_unsigned(), EQUAL),
        (FIELD_UID, first, AT_LEAST),
        (FIELD_UID, last, AT_MOST),
    ];
    let arch = [(FIELD_ARCH, ARCH_X86_64, EQUAL)];
    let fields: Vec<_> = arch.iter().chain(&fields).collect();
    let mut calls = [0u32; 64];
    for call in errno.calls {
        let (word, bit) = (call / 32, call % 32);
        if let Some(word) = usize::try_from(word).ok().and_then(|at| calls.get_mut(at)) {
            *word |= 1 << bit;
        }
    }
    let column = |pick: fn(&(u32, u32, u32)) -> u32| -> Vec<u32> {
        let mut words: Vec<u32> = fields.iter().map(|field| pick(field)).collect();
        words.resize(64, 0);
        words
    };
    let count = u32::try_from(fields.len()).unwrap_or(0);
    [FILTER_EXIT, ALWAYS, count]
        .into_iter()
        .chain(calls)
        .chain(column(|field| field.0))
        .chain(column(|field| field.1))
        .chain(column(|field| field.2))
        .chain([0])
        .flat_map(u32::to_ne_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_the_kernels_form() {
        let bytes = rule(&ERRNOS[0], 7, 9);
        assert_eq!(bytes.len(), 12 + 4 * 64 * 4 + 4);
        let word = |at: usize| u32::from_ne_bytes(bytes[at * 4..at * 4 + 4].try_into().unwrap());
        assert_eq!([word(0), word(1), word(2)], [4, 2, 4]);
        // open is call 2, openat 257.
        assert_eq!(word(3) & 4, 4);
        assert_eq!(word(3 + 8) & 2, 2);
        assert_eq!(word(3 + 64 + 1), FIELD_EXIT);
        assert_eq!(word(3 + 128 + 1).cast_signed(), -libc::EROFS);
        assert_eq!([word(3 + 128 + 2), word(3 + 128 + 3)], [7, 9]);
        assert_eq!(set(1, 1, 0).len(), 40);
    }
}
