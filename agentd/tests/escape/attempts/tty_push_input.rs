//! Pushes input into a terminal, as if a person had typed it (TIOCSTI).

use std::os::unix::fs::OpenOptionsExt;

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn stage(world: &mut World) {
    world.terminal();
}

fn attack(scene: &Scene) -> Loot {
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(&scene.terminal);
    let fd = terminal.as_ref().map_or(0, std::os::fd::AsRawFd::as_raw_fd);
    call(libc::SYS_ioctl, &[fd.into(), 0x5412, at(b"x")])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    // What was pushed into the terminal's input can be read from it.
    let waiting = rustix::io::ioctl_fionread(&world.kept[1]).unwrap();
    waiting > 0
}
