//! Makes a read-only mount writable again.

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

fn attack(scene: &Scene) -> Loot {
    let place = text("/proc");
    let flags = libc::MS_REMOUNT | libc::MS_BIND | if scene.outside { libc::MS_RDONLY } else { 0 };
    call(
        libc::SYS_mount,
        &[0, place.as_ptr() as i64, 0, flags as i64, 0],
    )?;
    nothing()
}
