//! Makes a file in a directory of the host that belongs to the same id.

use super::super::attack::{Loot, Scene, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    io(std::fs::write(scene.host("planted"), "x"))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.dir.join("planted").exists()
}
