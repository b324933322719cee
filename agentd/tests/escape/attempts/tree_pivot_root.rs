//! Makes another directory the root of the tree.

use super::super::attack::{Loot, Scene, call, io, nothing, text};
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
    let (kind, place, dot) = (text("tmpfs"), text("/tmp"), text("."));
    let _made = call(
        libc::SYS_mount,
        &[
            kind.as_ptr() as i64,
            place.as_ptr() as i64,
            kind.as_ptr() as i64,
            0,
            0,
        ],
    );
    io(std::env::set_current_dir("/tmp"))?;
    call(
        libc::SYS_pivot_root,
        &[dot.as_ptr() as i64, dot.as_ptr() as i64],
    )?;
    nothing()
}
