//! Executes a program that is no file at all (memfd).

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, call, io, own, program, run, text};
use super::super::world::World;
use super::{Attempt, Control, EACCES, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::program_ran,
    inside: &[("script proxy strict", EPERM), ("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    let name = text("program");
    let memory = own(call(libc::SYS_memfd_create, &[name.as_ptr() as i64, 0])?);
    let mut file = std::fs::File::from(memory);
    io(std::io::Write::write_all(&mut file, &program(scene)))?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    run(&[&path])
}
