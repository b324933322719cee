//! The attempts, one file each: what is done, what the host would see of it, and
//! what each profile must answer instead.
//!
//! A file is compiled twice: into the probe, which makes the attempt, and into the
//! test, which sets the stage for it and judges by what it sees on the host.

use super::attack::{Loot, Scene};
use super::world::{Report, World};

/// One attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// As whom it is made outside, where it must succeed.
    pub(crate) control: Control,
    /// What the host puts there for it.
    pub(crate) stage: fn(&mut World),
    /// What the hostile program does.
    pub(crate) attack: fn(&Scene) -> Loot,
    /// Whether the host sees that it happened.
    pub(crate) seen: fn(&mut World, &Report) -> bool,
    /// What must come of it inside: profiles (several, or `*` for all others) and
    /// the answer. The first that names the profile counts.
    pub(crate) inside: &'static [(&'static str, Denied)],
}

/// As whom an attempt is made outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// The host's root.
    Root,
    /// Root in namespaces of its own, so that what succeeds harms nobody.
    Apart,
    /// The host's id behind the sandbox, without a sandbox.
    User,
    /// This kernel was built without it: outside it is answered otherwise than
    /// inside, and that is all that can be shown here.
    Absent,
}

/// How an attempt ends inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// By this error.
    Errno(i32),
    /// By this signal.
    Signal(i32),
    /// By this exit status of the program that it became.
    Exit(i32),
    /// Not at all: the profile's file grants this, and says so.
    Declared,
    /// The calls go through and nothing comes of them, as the host sees.
    Harmless,
}

pub(crate) const EPERM: Denied = Denied::Errno(libc::EPERM);
pub(crate) const ENOENT: Denied = Denied::Errno(libc::ENOENT);
pub(crate) const ESRCH: Denied = Denied::Errno(libc::ESRCH);
pub(crate) const EACCES: Denied = Denied::Errno(libc::EACCES);
pub(crate) const EROFS: Denied = Denied::Errno(libc::EROFS);
pub(crate) const EINVAL: Denied = Denied::Errno(libc::EINVAL);
pub(crate) const ENOSYS: Denied = Denied::Errno(libc::ENOSYS);
pub(crate) const EBADF: Denied = Denied::Errno(libc::EBADF);
pub(crate) const ECONNREFUSED: Denied = Denied::Errno(libc::ECONNREFUSED);
pub(crate) const SIGSYS: Denied = Denied::Signal(libc::SIGSYS);

/// The stage of an attempt that needs none.
pub(crate) fn bare(_: &mut World) {}

impl Attempt {
    /// What `profile` must answer.
    pub(crate) fn in_profile(&self, profile: &str) -> Denied {
        self.inside
            .iter()
            .find(|(names, _)| names.split(' ').any(|name| name == profile || name == "*"))
            .map(|(_, denied)| *denied)
            .unwrap_or_else(|| panic!("nothing is said of {profile}"))
    }
}

macro_rules! attempts {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// All of them, by the name of their file.
        pub(crate) static ALL: &[(&str, &Attempt)] = &[$((stringify!($name), &$name::ATTEMPT)),*];
    };
}

include!("list.rs");
