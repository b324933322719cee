//! Reads another's memory by its file.

use super::super::attack::{Loot, Scene, bytes, io};
use super::super::world::World;
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    let file = io(std::fs::File::open(format!("/proc/{}/mem", scene.victim)))?;
    let mut all = [0; 64];
    io(std::os::unix::fs::FileExt::read_at(
        &file,
        &mut all,
        scene.address,
    ))?;
    bytes(all)
}
