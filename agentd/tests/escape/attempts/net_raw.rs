//! Makes a raw internet socket.

use super::super::attack::{Loot, Scene, hold_socket};
use super::super::world::World;
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen: World::socket_was_made,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    hold_socket(libc::AF_INET, libc::SOCK_RAW, 1)
}
