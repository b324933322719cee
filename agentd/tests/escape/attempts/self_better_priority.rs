//! Takes a better priority than others.

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EACCES, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("strict", EACCES), ("*", EACCES)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_setpriority, &[0, 0, -10])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    let stat = report.file("stat");
    stat.rsplit(") ").next().unwrap().split(' ').nth(16) == Some("-10")
}
