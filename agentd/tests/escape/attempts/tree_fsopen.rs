//! Makes a file system by the newer calls (fsopen).

use super::super::attack::{Loot, Scene, call, held, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let kind = text("tmpfs");
    held(call(libc::SYS_fsopen, &[kind.as_ptr() as i64, 0])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("[fscontext]")
}
