//! Takes groups on.

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let groups = [scene.other];
    call(libc::SYS_setgroups, &[1, at(&groups)])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.now().line("Groups") != report.before.line("Groups")
}
