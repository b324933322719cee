//! Raises its limit of open files.

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
    let limit = [1u64 << 19, 1 << 19];
    call(libc::SYS_prlimit64, &[0, 7, at(&limit), 0])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report
        .file("limits")
        .lines()
        .any(|line| line.starts_with("Max open files            524288"))
}
