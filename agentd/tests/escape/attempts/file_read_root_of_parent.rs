//! Reads it through the root of its parent, which was outside once.

use super::super::attack::{Loot, Scene, read};
use super::super::world::World;
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::keep_secret,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    read(&format!(
        "/proc/{}/root{}",
        unsafe { libc::getppid() },
        scene.host("secret")
    ))
}
