//! Learns the host's name.

use super::super::attack::{Loot, Scene, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", Denied::Harmless)],
};

fn attack(_: &Scene) -> Loot {
    let mut names = [0u8; 390];
    call(libc::SYS_uname, &[names.as_mut_ptr() as i64])?;
    bytes(names)
}

fn seen(_: &mut World, report: &Report) -> bool {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    report.got(name.trim())
}
