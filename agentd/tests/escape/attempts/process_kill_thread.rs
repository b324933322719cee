//! Signals one thread of another process (tgkill).

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::World;
use super::{Attempt, Control, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::victim_died,
    inside: &[("*", ESRCH)],
};

fn attack(scene: &Scene) -> Loot {
    call(
        libc::SYS_tgkill,
        &[scene.victim.into(), scene.victim.into(), 9],
    )?;
    nothing()
}
