//! Drops from the bounding set what it would need to be judged.

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
    call(libc::SYS_prctl, &[24, 0])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.now().line("CapBnd") != report.before.line("CapBnd")
}
