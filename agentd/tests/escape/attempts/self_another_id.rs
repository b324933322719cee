//! Becomes another id.

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EINVAL, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("desktop browser", EINVAL), ("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    call(
        libc::SYS_setresuid,
        &[scene.other.into(), scene.other.into(), scene.other.into()],
    )?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.now().line("Uid") != report.before.line("Uid")
}
