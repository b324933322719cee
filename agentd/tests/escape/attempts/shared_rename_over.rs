//! Renames another file over it: a policy replaced.

use super::super::attack::{Loot, Scene, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("script proxy strict", EPERM), ("*", EROFS)],
};

fn stage(world: &mut World) {
    world.share("rules", "deny");
    world.share("other", "allow");
}

fn attack(scene: &Scene) -> Loot {
    io(std::fs::rename(
        scene.shared("other"),
        scene.shared("rules"),
    ))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    !world.shared.join("other").exists()
}
