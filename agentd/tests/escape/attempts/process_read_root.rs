//! Reads files through another's root.

use super::super::attack::{Loot, Scene, read};
use super::super::world::World;
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", ENOENT)],
};

fn stage(world: &mut World) {
    world.victim();
    world.file("secret", &world.secret);
}

fn attack(scene: &Scene) -> Loot {
    read(&format!(
        "/proc/{}/root{}",
        scene.victim,
        scene.host("secret")
    ))
}
