//! Makes the policy first, where there is none yet.

use super::super::attack::{Loot, Scene, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", EROFS)],
};

fn stage(world: &mut World) {
    assert!(!world.shared.join("rules").exists());
}

fn attack(scene: &Scene) -> Loot {
    io(std::fs::write(scene.shared("rules"), "allow"))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.shared.join("rules").exists()
}
