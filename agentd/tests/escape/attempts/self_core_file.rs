//! Dies with a core file, which carries its memory out.

use super::super::attack::{Loot, Scene, at, bytes, call, done, io};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[
        ("script proxy strict hands model", EPERM),
        ("*", Denied::Harmless),
    ],
};

fn attack(scene: &Scene) -> Loot {
    let limit = [u64::MAX, u64::MAX];
    let _raised = call(libc::SYS_prlimit64, &[0, 4, at(&limit), 0]);
    io(std::env::set_current_dir(&scene.tmp))?;
    let mut status = 0;
    let child = done(unsafe { libc::fork() })?;
    if child == 0 {
        unsafe { libc::abort() };
    }
    unsafe { libc::waitpid(i32::try_from(child).unwrap(), &raw mut status, 0) };
    bytes(if libc::WCOREDUMP(status) {
        "dumped"
    } else {
        "ended"
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("dumped")
}
