//! Makes a socket of the kernel's cryptography (AF_ALG), a way in past faults.

use super::super::attack::{Got, Loot, Scene, socket};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Absent,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let socket = socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)?;
    Ok(Got {
        held: vec![socket],
        ..Got::default()
    })
}

fn seen(_: &mut World, _: &Report) -> bool {
    false
}
