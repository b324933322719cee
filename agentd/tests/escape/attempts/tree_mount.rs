//! Mounts a file system of its own over the tree.

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
    let (kind, place) = (text("tmpfs"), text("/tmp"));
    call(
        libc::SYS_mount,
        &[
            kind.as_ptr() as i64,
            place.as_ptr() as i64,
            kind.as_ptr() as i64,
            0,
            0,
        ],
    )?;
    nothing()
}
