//! Makes a socket of the hypervisor's channel, which no network namespace holds.

use super::super::attack::{Loot, Scene, hold_socket};
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
    hold_socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)
}
