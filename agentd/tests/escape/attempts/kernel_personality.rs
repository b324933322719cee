//! Turns the randomisation of its addresses off (personality).

use super::super::attack::{Loot, Scene, call, nothing};
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
    call(libc::SYS_personality, &[0x004_0000])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.file("personality").trim() == "00040000"
}
