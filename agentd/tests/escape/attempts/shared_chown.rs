//! Gives a file to another id.

use std::os::unix::fs::MetadataExt;

use super::super::attack::{Loot, Scene, call, nothing, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let path = text(&scene.shared("rules"));
    call(
        libc::SYS_chown,
        &[path.as_ptr() as i64, scene.other.into(), -1],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::metadata(world.shared.join("rules")).unwrap().uid() == world.scene.other
}
