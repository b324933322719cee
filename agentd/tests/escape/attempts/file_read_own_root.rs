//! Reads it through its own root in /proc.

use super::super::attack::{Loot, Scene, read};
use super::super::world::World;
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::keep_secret,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    read(&format!("/proc/self/root{}", scene.host("secret")))
}
