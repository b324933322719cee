//! Changes the host's name.

use super::super::attack::{Loot, Scene, at, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_sethostname, &[at(b"taken"), 5])?;
    let mut name = [0u8; 390];
    call(libc::SYS_uname, &[name.as_mut_ptr() as i64])?;
    bytes(name)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("taken")
}
