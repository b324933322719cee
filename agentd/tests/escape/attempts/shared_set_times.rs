//! Sets the times of a file of its id back.

use std::os::unix::fs::MetadataExt;

use super::super::attack::{Loot, Scene, at, call, nothing, text};
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
    let times = [1i64, 0, 1, 0];
    call(
        libc::SYS_utimensat,
        &[libc::AT_FDCWD.into(), path.as_ptr() as i64, at(&times), 0],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::metadata(world.shared.join("rules"))
        .unwrap()
        .mtime()
        == 1
}
