//! Has its children in a new pid namespace.

use super::super::attack::{Loot, Scene, call, done, forked};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_unshare, &[libc::CLONE_NEWPID.into()])?;
    forked(done(unsafe { libc::fork() })?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.moved("pid")
}
