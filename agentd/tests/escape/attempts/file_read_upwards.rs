//! Reads it by going up from where it is.

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
    read(&format!("../../../../../../../..{}", scene.host("secret")))
}
