//! Makes a terminal of its own.

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
    let master = io(std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/ptmx"))?;
    Ok(Got {
        held: vec![master.into()],
        ..Got::default()
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("/ptmx")
}
