//! Copies a tree and attaches it elsewhere (open_tree, move_mount).

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, call, nothing, own, text};
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
    let (from, to, none) = (text("/usr"), text("/tmp"), text(""));
    let here = i64::from(libc::AT_FDCWD);
    let tree = own(call(libc::SYS_open_tree, &[here, from.as_ptr() as i64, 1])?);
    call(
        libc::SYS_move_mount,
        &[
            tree.as_raw_fd().into(),
            none.as_ptr() as i64,
            here,
            to.as_ptr() as i64,
            4,
        ],
    )?;
    nothing()
}
