//! Sends a datagram to the host.

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, at, call, local, nothing, socket};
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
    world.listen_udp();
}

fn attack(scene: &Scene) -> Loot {
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let said = scene.tag.as_bytes();
    let length = i64::try_from(said.len()).unwrap();
    call(
        libc::SYS_sendto,
        &[
            socket.as_raw_fd().into(),
            at(said),
            length,
            0,
            at(&local(scene.port)),
            16,
        ],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let mut bytes = [0; 256];
    world.udp.as_ref().unwrap().recv(&mut bytes).is_ok()
}
