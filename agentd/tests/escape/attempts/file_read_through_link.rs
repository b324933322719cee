//! Makes a link to it and reads the link.

use super::super::attack::{Loot, Scene, io, read};
use super::super::world::World;
use super::{Attempt, Control, ENOENT, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::keep_secret,
    attack,
    seen: World::secret_was_got,
    inside: &[("script proxy strict", EPERM), ("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    let link = scene.tmp("link");
    let _old = std::fs::remove_file(&link);
    io(std::os::unix::fs::symlink(scene.host("secret"), &link))?;
    read(&link)
}
