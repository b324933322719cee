//! Makes a terminal its controlling one (TIOCSCTTY).

use std::os::unix::fs::OpenOptionsExt;

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::terminal,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    call(libc::SYS_setsid, &[]).ok();
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(&scene.terminal);
    let fd = terminal.as_ref().map_or(0, std::os::fd::AsRawFd::as_raw_fd);
    call(libc::SYS_ioctl, &[fd.into(), 0x540e, 1])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    let number = report.file("stat");
    // Field 7, after the name in brackets: the controlling terminal.
    let field = number
        .rsplit(") ")
        .next()
        .unwrap()
        .split(' ')
        .nth(4)
        .unwrap();
    field != "0"
}
