//! Takes a mount away to see what it covers.

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
    let place = text("/proc");
    call(
        libc::SYS_umount2,
        &[place.as_ptr() as i64, libc::MNT_DETACH.into()],
    )?;
    nothing()
}
