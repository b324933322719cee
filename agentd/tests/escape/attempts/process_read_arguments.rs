//! Reads another's arguments.

use super::super::attack::{Loot, Scene, read};
use super::super::world::World;
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    read(&format!("/proc/{}/cmdline", scene.victim))
}
