//! Loads a module.

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::World;
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Absent,
    stage: bare,
    attack,
    seen: World::sees_nothing,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_finit_module, &[-1, at(b"\0"), 0])?;
    nothing()
}
