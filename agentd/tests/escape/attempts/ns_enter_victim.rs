//! Enters the namespace of a process outside (setns).

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    // Inside there is no such process; one of its own is as good for the filter.
    let path = format!("/proc/{}/ns/uts", scene.victim);
    let namespace = std::fs::File::open(path).or_else(|_| std::fs::File::open("/proc/self/ns/uts"));
    let fd = namespace
        .as_ref()
        .map_or(-1, std::os::fd::AsRawFd::as_raw_fd);
    call(libc::SYS_setns, &[fd.into(), libc::CLONE_NEWUTS.into()])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.moved("uts")
}
