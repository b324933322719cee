//! Binds a directory over another.

use super::super::attack::{Loot, Scene, call, nothing, text};
use super::super::world::World;
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: bare,
    attack,
    seen: World::mounts_changed,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let (from, to) = (text("/usr"), text("/tmp"));
    call(
        libc::SYS_mount,
        &[
            from.as_ptr() as i64,
            to.as_ptr() as i64,
            0,
            libc::MS_BIND as i64,
            0,
        ],
    )?;
    nothing()
}
