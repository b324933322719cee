//! Overwrites the program that started it, through /proc.

use super::super::attack::{Loot, Scene, bytes, io};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(_: &Scene) -> Loot {
    let parent = unsafe { libc::getppid() };
    io(std::fs::File::options()
        .write(true)
        .open(format!("/proc/{parent}/exe"))
        .or_else(|e| {
            // Outside it is running, and so busy; that it was found is what counts.
            if e.raw_os_error() == Some(libc::ETXTBSY) {
                std::fs::File::open("/dev/null")
            } else {
                Err(e)
            }
        }))?;
    bytes("reached")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("reached")
}
