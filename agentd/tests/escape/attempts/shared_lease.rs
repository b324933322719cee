//! Takes a lease on a file that others need (F_SETLEASE): who opens it then waits.

use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use super::super::attack::{Got, Loot, Scene, call, io};
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
    let file = io(std::fs::File::open(scene.shared("rules")))?;
    call(
        libc::SYS_fcntl,
        &[file.as_raw_fd().into(), 1024, libc::F_RDLCK.into()],
    )?;
    Ok(Got {
        held: vec![file.into()],
        ..Got::default()
    })
}

fn seen(world: &mut World, _: &Report) -> bool {
    let opened = std::fs::File::options()
        .append(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(world.shared.join("rules"));
    opened.is_err_and(|e| e.raw_os_error() == Some(libc::EWOULDBLOCK))
}
