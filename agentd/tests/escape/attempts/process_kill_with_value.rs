//! Signals with a value (rt_sigqueueinfo).

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("script strict hands model", EPERM), ("*", ESRCH)],
};

fn stage(world: &mut World) {
    world.victim();
}

fn attack(scene: &Scene) -> Loot {
    let mut information = [0i32; 32];
    information[0] = 9;
    information[2] = -1; // SI_QUEUE
    call(
        libc::SYS_rt_sigqueueinfo,
        &[scene.victim.into(), 9, at(&information)],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    super::super::world::soon(|| !world.victim_lives())
}
