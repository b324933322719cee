//! Removes a file that it is only to read.

use super::super::attack::{Loot, Scene, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("script proxy strict", EPERM), ("*", EROFS)],
};

fn attack(scene: &Scene) -> Loot {
    io(std::fs::remove_file(scene.shared("rules")))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    !world.shared.join("rules").exists()
}
