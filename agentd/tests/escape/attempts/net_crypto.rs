//! Makes a socket of the kernel's cryptography (AF_ALG), a way in past faults.

use super::super::attack::{Loot, Scene, hold_socket};
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
    hold_socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)
}
