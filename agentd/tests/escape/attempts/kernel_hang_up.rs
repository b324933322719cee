//! Hangs up its terminal (vhangup).

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
    call(libc::SYS_setsid, &[]).ok();
    call(libc::SYS_vhangup, &[])?;
    bytes("hung up")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("hung up")
}
