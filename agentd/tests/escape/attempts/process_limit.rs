//! Takes another's limits down (prlimit).

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let limit = [3u64, 3];
    call(
        libc::SYS_prlimit64,
        &[scene.victim.into(), 7, at(&limit), 0],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world
        .victim_file("limits")
        .lines()
        .any(|line| line.starts_with("Max open files            3 "))
}
