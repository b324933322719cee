//! Starting the reader, as root, before the rooms are made.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::auditing::Auditing;

/// The number of the descriptor on which the inner agentd hears of denials.
pub const CHANNEL: i32 = 6;

/// A reader that runs, and auditing that is on, until this is dropped.
#[derive(Debug)]
pub struct Started {
    child: Child,
    owner: u32,
    _auditing: Auditing,
}

impl Started {
    /// Turns auditing on and starts the reader for a range of users; what comes with
    /// it is agentd's end of the channel.
    ///
    /// # Errors
    /// Why denials will not be explained. Nothing else depends on it.
    pub fn new(base: u32, count: u32, errors: bool) -> io::Result<(Self, OwnedFd)> {
        // The one before the range: no sandbox and no part of agentd has it.
        let uid = base
            .checked_sub(1)
            .filter(|uid| *uid > 0)
            .ok_or_else(|| io::Error::other("there is no user for the audit reader"))?;
        let auditing = Auditing::begin(base, count, errors)?;
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let child = Command::new("/proc/self/exe")
            .arg0("agentd")
            .arg("audit-reader")
            .args(["--base", &base.to_string(), "--count", &count.to_string()])
            .args(["--uid", &uid.to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let owner = std::process::id();
        let started = Self {
            child,
            owner,
            _auditing: auditing,
        };
        Ok((started, ours))
    }

    /// The reader's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It ends by itself with the channel, and whoever waits for any child may have
        // reaped it: it is not ended by its number, which may be another's by then.
        if self.owner == std::process::id() {
            let _gone = self.child.wait();
        }
    }
}
