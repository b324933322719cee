//! Uses the x32 table, which a filter of x86-64 numbers does not know.

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::World;
use super::{Attempt, Control, SIGSYS, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Absent,
    stage: bare,
    attack,
    seen: World::sees_nothing,
    inside: &[("*", SIGSYS)],
};

fn attack(_: &Scene) -> Loot {
    call(0x4000_0000 | libc::SYS_getpid, &[])?;
    nothing()
}
