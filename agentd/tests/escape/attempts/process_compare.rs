//! Compares kernel pointers with another process (kcmp).

use super::super::attack::{Loot, Scene, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let own = i64::from(unsafe { libc::getpid() });
    call(libc::SYS_kcmp, &[own, scene.victim.into(), 1, 0, 0])?;
    bytes("compared")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("compared")
}
