//! Binds another process to one processor (sched_setaffinity).

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", ESRCH)],
};

fn attack(scene: &Scene) -> Loot {
    let one = [1u64];
    call(
        libc::SYS_sched_setaffinity,
        &[scene.victim.into(), 8, at(&one)],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.victim_file("status").contains("Cpus_allowed:\t1\n")
}
