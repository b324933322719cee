//! Mounts the control groups, to set a program that the host would run (release_agent).

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
    let (kind, place, which) = (text("cgroup"), text("/tmp"), text("memory"));
    let modern = text("cgroup2");
    call(
        libc::SYS_mount,
        &[
            kind.as_ptr() as i64,
            place.as_ptr() as i64,
            kind.as_ptr() as i64,
            0,
            which.as_ptr() as i64,
        ],
    )
    .or_else(|_| {
        call(
            libc::SYS_mount,
            &[
                modern.as_ptr() as i64,
                place.as_ptr() as i64,
                modern.as_ptr() as i64,
                0,
                0,
            ],
        )
    })?;
    nothing()
}
