//! Signals everything that it may (kill -1).

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

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_kill, &[-1, 9])?;
    nothing()
}
