//! Connects to the host by IPv6.

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, at, call, nothing, say, socket};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn stage(world: &mut World) {
    world.listen_tcp();
}

fn attack(scene: &Scene) -> Loot {
    let socket = socket(libc::AF_INET6, libc::SOCK_STREAM, 0)?;
    // ::ffff:127.0.0.1
    let mut address = [0u8; 28];
    address[0] = 10;
    address[2..4].copy_from_slice(&scene.port.to_be_bytes());
    address[18..24].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
    call(
        libc::SYS_connect,
        &[socket.as_raw_fd().into(), at(&address), 28],
    )?;
    say(&socket, &scene.tag)?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.tcp_got().is_some()
}
