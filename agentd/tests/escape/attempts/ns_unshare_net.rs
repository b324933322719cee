//! Leaves its net namespace for a new one.

use super::super::attack::{Loot, Scene, call, nothing};
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
    call(libc::SYS_unshare, &[libc::CLONE_NEWNET.into()])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.moved("net")
}
