//! Opens a port for the host to come in by.

use std::os::fd::AsRawFd;

use super::super::attack::{Got, Loot, Scene, at, call, local, socket};
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
    // A port that was free a moment ago.
    world.listen_tcp();
    world.tcp = None;
}

fn attack(scene: &Scene) -> Loot {
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    call(
        libc::SYS_bind,
        &[socket.as_raw_fd().into(), at(&local(scene.port)), 16],
    )?;
    call(libc::SYS_listen, &[socket.as_raw_fd().into(), 1])?;
    Ok(Got {
        held: vec![socket],
        ..Got::default()
    })
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", world.scene.port)).is_ok()
}
