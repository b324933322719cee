//! Adjusts the clock (adjtimex).

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
    let mut change = [0u8; 208];
    change[0] = 1; // ADJ_OFFSET, of nothing
    call(libc::SYS_adjtimex, &[change.as_mut_ptr() as i64])?;
    bytes("adjusted")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("adjusted")
}
