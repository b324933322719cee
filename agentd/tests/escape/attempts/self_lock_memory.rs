//! Locks memory, so that none is left for others.

use super::super::attack::{Loot, Scene, at, call, nothing};
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
    let memory = vec![1u8; 4 << 20];
    call(libc::SYS_mlock, &[at(memory.as_slice()), 4 << 20])?;
    std::mem::forget(memory);
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.now().line("VmLck") != report.before.line("VmLck")
}
