//! Makes a netlink socket to the audit system.

use super::super::attack::{Loot, Scene, hold_netlink};
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
    hold_netlink(9)
}
