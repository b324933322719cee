//! Signals with a value (rt_sigqueueinfo).

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::World;
use super::{Attempt, Control, EPERM, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::victim_died,
    inside: &[("script proxy strict hands model", EPERM), ("*", ESRCH)],
};

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
