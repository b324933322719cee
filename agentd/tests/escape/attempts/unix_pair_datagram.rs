//! Sends from one end of a pair of datagram sockets to a service of the host: such a
//! pair may send to anybody.

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, at, call, nothing, own};
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
    let mut ends = [0i32; 2];
    call(
        libc::SYS_socketpair,
        &[
            libc::AF_UNIX.into(),
            libc::SOCK_DGRAM.into(),
            0,
            ends.as_mut_ptr() as i64,
        ],
    )?;
    let (one, _other) = (own(ends[0].into()), own(ends[1].into()));
    let name = scene.host("service");
    let mut address = [0u8; 110];
    address[0] = 1;
    address[2..2 + name.len()].copy_from_slice(name.as_bytes());
    let length = i64::try_from(2 + name.len()).unwrap();
    call(
        libc::SYS_sendto,
        &[
            one.as_raw_fd().into(),
            at(scene.tag.as_bytes()),
            i64::try_from(scene.tag.len()).unwrap(),
            0,
            at(&address),
            length,
        ],
    )?;
    nothing()
}
