//! Asks for an internet socket with bits above the 32 that the kernel reads.

use super::super::attack::{Loot, Scene, call, held};
use super::super::world::World;
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::socket_was_made,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    held(call(libc::SYS_socket, &[0x1_0000_0002, 1, 0])?)
}
