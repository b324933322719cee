//! Uses a socket that was left open.

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EBADF, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EBADF)],
};

fn attack(scene: &Scene) -> Loot {
    let mut said = Err(libc::EBADF);
    for fd in 4..scene.kept {
        let what = scene.tag.as_bytes();
        let length = i64::try_from(what.len()).unwrap();
        if call(
            libc::SYS_sendto,
            &[fd.into(), at(what), length, libc::MSG_NOSIGNAL.into(), 0, 0],
        )
        .is_ok()
        {
            said = nothing();
        }
    }
    said
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.leaked_socket().contains(&world.scene.tag)
}
