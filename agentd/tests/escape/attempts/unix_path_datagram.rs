//! Sends to a service of the host that takes datagrams, as to a system log.

use super::super::attack::{Loot, Scene, nothing, say_to_unix};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::listen_datagrams,
    attack,
    seen: World::datagram_came,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    say_to_unix(
        libc::SOCK_DGRAM,
        scene.host("service").as_bytes(),
        &scene.tag,
    )?;
    nothing()
}
