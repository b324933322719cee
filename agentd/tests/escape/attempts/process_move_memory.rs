//! Moves another's memory about (move_pages).

use super::super::attack::{Loot, Scene, at, bytes, call};
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
    let pages = [scene.address & !4095];
    let status = [0i32];
    call(
        libc::SYS_move_pages,
        &[scene.victim.into(), 1, at(&pages), 0, at(&status), 0],
    )?;
    bytes("moved")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("moved")
}
