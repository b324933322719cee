//! Reads the kernel's log (syslog).

use super::super::attack::{Loot, Scene, bytes, call};
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
    let size = call(libc::SYS_syslog, &[10, 0, 0])?;
    bytes(format!("size {size}"))
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("size ")
}
