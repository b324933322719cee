//! Executes a program that it wrote into shared memory.

use super::super::attack::{Loot, Scene, plant, run};
use super::super::world::World;
use super::{Attempt, Control, EACCES, EROFS, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::program_ran,
    inside: &[("script proxy strict model", EROFS), ("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    let path = format!("/dev/shm/{}", scene.tag);
    let planted = plant(scene, &path, 0o755);
    let ran = planted.and_then(|()| run(&[&path]));
    let _gone = std::fs::remove_file(&path);
    ran
}
