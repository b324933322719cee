//! Connects by sending (TCP Fast Open), without connect.

use std::os::fd::AsRawFd;

use super::super::attack::{Got, Loot, Scene, at, call, local, socket};
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
    let socket = socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
    let said = scene.tag.as_bytes();
    let length = i64::try_from(said.len()).unwrap();
    call(
        libc::SYS_sendto,
        &[
            socket.as_raw_fd().into(),
            at(said),
            length,
            libc::MSG_FASTOPEN.into(),
            at(&local(scene.port)),
            16,
        ],
    )?;
    Ok(Got {
        held: vec![socket],
        ..Got::default()
    })
}
