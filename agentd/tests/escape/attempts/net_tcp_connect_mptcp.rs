//! Connects by MPTCP, which a rule on TCP does not know.

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, at, call, local, nothing, say, socket};
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
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 262)?;
    call(
        libc::SYS_connect,
        &[socket.as_raw_fd().into(), at(&local(scene.port)), 16],
    )?;
    say(&socket, &scene.tag)?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.tcp_got().is_some()
}
