//! Hides the flag for a user namespace behind a pointer (clone3).

use super::super::attack::{Loot, Scene, at, call, forked};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOSYS, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOSYS)],
};

fn attack(_: &Scene) -> Loot {
    let mut arguments = [0u64; 11];
    arguments[0] = 0x1000_0000;
    arguments[4] = 17;
    forked(call(libc::SYS_clone3, &[at(&arguments), 88])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.moved("user")
}
