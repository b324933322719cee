//! Opens what the kernel says of the machine's memory.

use super::super::attack::{Got, Loot, Scene, io};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(_: &Scene) -> Loot {
    let file = io(std::fs::File::open("/proc/kpageflags"))?;
    Ok(Got {
        held: vec![file.into()],
        ..Got::default()
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("/proc/kpageflags")
}
