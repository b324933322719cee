//! Hides memory from the kernel itself (memfd_secret).

use super::super::attack::{Loot, Scene, call, held};
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
    held(call(libc::SYS_memfd_secret, &[0x7fff])?)
}
