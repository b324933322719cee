//! Signals one thread of another process (tgkill).

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", ESRCH)],
};

fn stage(world: &mut World) {
    world.victim();
}

fn attack(scene: &Scene) -> Loot {
    call(
        libc::SYS_tgkill,
        &[scene.victim.into(), scene.victim.into(), 9],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    super::super::world::soon(|| !world.victim_lives())
}
