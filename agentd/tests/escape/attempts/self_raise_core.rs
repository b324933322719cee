//! Raises its limit of core files, to leave its memory behind.

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let limit = [u64::MAX, u64::MAX];
    call(libc::SYS_prlimit64, &[0, 4, at(&limit), 0])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report
        .file("limits")
        .lines()
        .any(|line| line.starts_with("Max core file size        unlimited"))
}
