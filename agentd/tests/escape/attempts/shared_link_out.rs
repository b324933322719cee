//! Makes a second name for a file, where it may write.

use std::os::unix::fs::MetadataExt;

use super::super::attack::{Loot, Scene, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[
        ("script proxy strict", EPERM),
        ("*", Denied::Errno(libc::EXDEV)),
    ],
};

fn attack(scene: &Scene) -> Loot {
    let to = scene.tmp("hard");
    let _old = std::fs::remove_file(&to);
    io(std::fs::hard_link(scene.shared("rules"), &to))?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::metadata(world.shared.join("rules"))
        .unwrap()
        .nlink()
        > 1
}
