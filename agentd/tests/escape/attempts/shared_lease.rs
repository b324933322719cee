//! Takes a lease on a file that others need (F_SETLEASE): who opens it then waits.

use std::os::unix::fs::OpenOptionsExt;

use super::super::attack::{Loot, Scene, hold_rules};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    hold_rules(scene, libc::SYS_fcntl, &[1024, libc::F_RDLCK.into()])
}

fn seen(world: &mut World, _: &Report) -> bool {
    let opened = std::fs::File::options()
        .append(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(world.shared.join("rules"));
    opened.is_err_and(|e| e.raw_os_error() == Some(libc::EWOULDBLOCK))
}
