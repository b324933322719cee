//! Leaves a link for others to follow.

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
    io(std::os::unix::fs::symlink(
        "/etc/shadow",
        scene.shared("link"),
    ))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.shared.join("link").symlink_metadata().is_ok()
}
