//! Makes a socket beside the network stack (AF_XDP).

use super::super::attack::{Got, Loot, Scene, socket};
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
    let socket = socket(libc::AF_XDP, libc::SOCK_RAW, 0)?;
    Ok(Got {
        held: vec![socket],
        ..Got::default()
    })
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("socket:")
}
