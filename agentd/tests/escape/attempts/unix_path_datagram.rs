//! Sends to a service of the host that takes datagrams, as to a system log.

use super::super::attack::{Loot, Scene, nothing, say_to_unix};
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
    use std::os::unix::fs::PermissionsExt;
    let path = world.dir.join("service");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    socket.set_nonblocking(true).unwrap();
    world.datagrams = Some(socket);
}

fn attack(scene: &Scene) -> Loot {
    say_to_unix(
        libc::SOCK_DGRAM,
        scene.host("service").as_bytes(),
        &scene.tag,
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let mut bytes = [0; 256];
    world.datagrams.as_ref().unwrap().recv(&mut bytes).is_ok()
}
