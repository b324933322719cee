//! Reads another's arguments.

use super::super::attack::{Loot, Scene, read};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn stage(world: &mut World) {
    world.victim();
}

fn attack(scene: &Scene) -> Loot {
    read(&format!("/proc/{}/cmdline", scene.victim))
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.secret)
}
