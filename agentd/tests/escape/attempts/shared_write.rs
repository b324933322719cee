//! Writes a file that it is only to read: a policy edited in place.

use super::super::attack::{Loot, Scene, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EROFS)],
};

fn attack(scene: &Scene) -> Loot {
    write(&scene.shared("rules"), "allow")
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::read_to_string(world.shared.join("rules")).unwrap() != "deny"
}
