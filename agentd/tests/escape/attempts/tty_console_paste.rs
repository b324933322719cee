//! Pastes into a console (TIOCLINUX). There is no virtual console here, so outside it
//! meets the terminal driver.

use std::os::unix::fs::OpenOptionsExt;

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Absent,
    stage: World::terminal,
    attack,
    seen: World::sees_nothing,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(&scene.terminal);
    let fd = terminal.as_ref().map_or(0, std::os::fd::AsRawFd::as_raw_fd);
    call(libc::SYS_ioctl, &[fd.into(), 0x541c, at(&[3u8; 8])])?;
    nothing()
}
