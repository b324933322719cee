//! Binds its memory to a node (set_mempolicy).

use super::super::attack::{Loot, Scene, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_set_mempolicy, &[1, 0, 0])?; // MPOL_PREFERRED
    bytes("bound")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("bound")
}
