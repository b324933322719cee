//! Asks for a ring, whose work passes no filter.

use super::super::attack::{Loot, Scene, at, call, held};
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
    let parameters = [0u8; 256];
    held(call(libc::SYS_io_uring_setup, &[1, at(&parameters)])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("[io_uring]")
}
