//! Opens the machine's memory.

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
    let file = io(std::fs::File::open("/dev/mem").or_else(|_| std::fs::File::open("/proc/kcore")))?;
    Ok(Got {
        held: vec![file.into()],
        ..Got::default()
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("/dev/mem") || report.holds("/proc/kcore")
}
