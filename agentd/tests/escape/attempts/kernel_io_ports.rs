//! Reaches for the machine's ports (ioperm).

use super::super::attack::{Loot, Scene, bytes, call};
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
    call(libc::SYS_ioperm, &[0x80, 1, 1])?;
    bytes("ports")
}
