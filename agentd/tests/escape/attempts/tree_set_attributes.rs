//! Takes attributes off a mount (mount_setattr).

use super::super::attack::{Loot, Scene, at, call, nothing, text};
use super::super::world::World;
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: bare,
    attack,
    seen: World::mounts_changed,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let place = text("/proc");
    // attr_set, attr_clr, propagation, userns_fd: outside set, inside clear.
    let change = if scene.outside {
        [1u64, 0, 0, 0]
    } else {
        [0, 1, 0, 0]
    };
    call(
        libc::SYS_mount_setattr,
        &[
            libc::AT_FDCWD.into(),
            place.as_ptr() as i64,
            0,
            at(&change),
            32,
        ],
    )?;
    nothing()
}
