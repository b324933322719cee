//! Clones into a user namespace, where it would hold every capability.

use super::super::attack::{Loot, Scene, call, forked};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("browser", Denied::Declared), ("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    forked(call(libc::SYS_clone, &[0x1000_0000 | 17])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.moved("user")
}
