//! Executes a program that it wrote.

use super::super::attack::{Loot, Scene, plant, run};
use super::super::world::World;
use super::{Attempt, Control, Denied, EACCES, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::program_ran,
    inside: &[("strict", Denied::Signal(libc::SIGXFSZ)), ("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("program");
    plant(scene, &path, 0o755)?;
    run(&[&path])
}
