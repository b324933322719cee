//! Installs a filter of its own that asks a listener (seccomp).

use super::super::attack::{Loot, Scene, at, call, held};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("browser", Denied::Declared), ("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    let allow = [0x0006_u16, 0, 0, 0x7fff];
    let program = [1u64, at(&allow) as u64];
    held(call(libc::SYS_seccomp, &[1, 8, at(&program)])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("seccomp notify")
}
