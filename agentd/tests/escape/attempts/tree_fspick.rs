//! Reconfigures a mounted file system (fspick).

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
    let place = text("/proc");
    held(call(
        libc::SYS_fspick,
        &[libc::AT_FDCWD.into(), place.as_ptr() as i64, 0],
    )?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("[fscontext]")
}
