//! Ends a process of the same id.

use super::super::attack::{Loot, Scene, call, nothing};
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
    call(libc::SYS_kill, &[scene.victim.into(), 9])?;
    nothing()
}
