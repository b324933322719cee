//! Connects to the host by IPv6.

use super::super::attack::{Loot, Scene, say_to_port, socket};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::listen_tcp,
    attack,
    seen: World::tcp_was_reached,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let socket = socket(libc::AF_INET6, libc::SOCK_STREAM, 0)?;
    // ::ffff:127.0.0.1
    let mut address = [0u8; 28];
    address[0] = 10;
    address[2..4].copy_from_slice(&scene.port.to_be_bytes());
    address[18..24].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
    say_to_port(socket, &address, scene)
}
