//! Reads the kernel's symbols.

use super::super::attack::{Loot, Scene, read};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(_: &Scene) -> Loot {
    read("/proc/kallsyms")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got(" T ") || report.got(" t ") || report.got(" A ") || report.got(" D ")
}
