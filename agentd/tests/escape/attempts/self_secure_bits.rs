//! Changes how capabilities are inherited (PR_SET_SECUREBITS).

use super::super::attack::{Loot, Scene, bytes, call};
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
    call(libc::SYS_prctl, &[28, 1])?;
    bytes("changed")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("changed")
}
