//! Writes to memory that was left open.

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
    let mut wrote = Err(libc::EBADF);
    for fd in 4..scene.kept {
        let what = scene.tag.as_bytes();
        let length = i64::try_from(what.len()).unwrap();
        if call(libc::SYS_pwrite64, &[fd.into(), at(what), length, 0]).is_ok() {
            wrote = nothing();
        }
    }
    wrote
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.leaked_memory().contains(&world.scene.tag)
}
