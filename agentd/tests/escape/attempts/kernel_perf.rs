//! Counts events of the machine (perf_event_open).

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
    let mut attributes = [0u8; 128];
    attributes[0] = 1; // PERF_TYPE_SOFTWARE
    attributes[4] = 128;
    held(call(
        libc::SYS_perf_event_open,
        &[at(&attributes), 0, -1, -1, 0],
    )?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("[perf_event]")
}
