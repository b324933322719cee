//! Moves a mount away (move_mount).

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
    let (from, to) = (text("/proc"), text("/tmp"));
    let here = i64::from(libc::AT_FDCWD);
    call(
        libc::SYS_move_mount,
        &[here, from.as_ptr() as i64, here, to.as_ptr() as i64, 0],
    )?;
    nothing()
}
