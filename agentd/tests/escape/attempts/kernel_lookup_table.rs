//! Writes a table of segments (modify_ldt).

use super::super::attack::{Loot, Scene, at, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let entry = [0u32, 0, 0xfffff, 0x51];
    call(libc::SYS_modify_ldt, &[1, at(&entry), 16])?;
    bytes("written")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("written")
}
