//! Handles its own page faults, which makes races in the kernel winnable.

use super::super::attack::{Loot, Scene, call, held};
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
    held(call(libc::SYS_userfaultfd, &[0])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("[userfaultfd]")
}
