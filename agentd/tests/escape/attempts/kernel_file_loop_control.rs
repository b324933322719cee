//! Opens the maker of loop devices.

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
    let file = io(std::fs::File::open("/dev/loop-control")
        .or_else(|_| std::fs::File::open("/dev/net/tun"))
        .or_else(|_| std::fs::File::open("/dev/fuse")))?;
    Ok(Got {
        held: vec![file.into()],
        ..Got::default()
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("/dev/loop-control") || report.holds("/dev/net/tun") || report.holds("/dev/fuse")
}
