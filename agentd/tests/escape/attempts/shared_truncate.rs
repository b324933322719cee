//! Empties a file that it is only to read.

use super::super::attack::{Loot, Scene, call, nothing, text};
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
    let path = text(&scene.shared("rules"));
    call(libc::SYS_truncate, &[path.as_ptr() as i64, 0])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::read_to_string(world.shared.join("rules")).unwrap() != "deny"
}
