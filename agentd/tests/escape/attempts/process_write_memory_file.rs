//! Writes another's memory by its file.

use super::super::attack::{Loot, Scene, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    let file = io(std::fs::File::options()
        .write(true)
        .open(format!("/proc/{}/mem", scene.victim)))?;
    io(std::os::unix::fs::FileExt::write_at(
        &file,
        b"taken",
        scene.address,
    ))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.victim_memory().starts_with("taken")
}
