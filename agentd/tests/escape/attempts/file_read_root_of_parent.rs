//! Reads it through the root of its parent, which was outside once.

use super::super::attack::{Loot, Scene, read};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn stage(world: &mut World) {
    world.file("secret", &world.secret);
}

fn attack(scene: &Scene) -> Loot {
    read(&format!(
        "/proc/{}/root{}",
        unsafe { libc::getppid() },
        scene.host("secret")
    ))
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.secret)
}
