//! Opens a file of its id to everybody: a read-only right does not say no to that.

use std::os::unix::fs::MetadataExt;

use super::super::attack::{Loot, Scene, call, nothing, text};
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
}

fn attack(scene: &Scene) -> Loot {
    let path = text(&scene.shared("rules"));
    call(libc::SYS_chmod, &[path.as_ptr() as i64, 0o666])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::metadata(world.shared.join("rules"))
        .unwrap()
        .mode()
        & 0o777
        == 0o666
}
