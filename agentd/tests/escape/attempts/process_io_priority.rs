//! Takes another's turn at the disk (ioprio_set).

use super::super::attack::{Loot, Scene, call, nothing};
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
    call(libc::SYS_ioprio_set, &[1, scene.victim.into(), 3 << 13])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let victim = i64::from(world.scene.victim);
    call(libc::SYS_ioprio_get, &[1, victim]) == Ok(3 << 13)
}
