//! Makes a link to it and reads the link.

use super::super::attack::{Loot, Scene, io, read};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("script strict", EPERM), ("*", ENOENT)],
};

fn stage(world: &mut World) {
    world.file("secret", &world.secret);
}

fn attack(scene: &Scene) -> Loot {
    let link = scene.tmp("link");
    let _old = std::fs::remove_file(&link);
    io(std::os::unix::fs::symlink(scene.host("secret"), &link))?;
    read(&link)
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.secret)
}
