//! Maps what it wrote as code.

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, call, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("strict", Denied::Signal(libc::SIGXFSZ)), ("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("code");
    io(std::fs::write(&path, [0x90; 64]))?;
    let file = io(std::fs::File::open(&path))?;
    let code = i64::from(libc::PROT_READ | libc::PROT_EXEC);
    call(
        libc::SYS_mmap,
        &[
            0,
            4096,
            code,
            libc::MAP_PRIVATE.into(),
            file.as_raw_fd().into(),
            0,
        ],
    )?;
    nothing()
}

fn seen(world: &mut World, report: &Report) -> bool {
    let name = format!("{}-code", world.scene.tag);
    report
        .file("maps")
        .lines()
        .any(|line| line.contains("r-xp") && line.ends_with(&name))
}
