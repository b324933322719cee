//! Changes its root, to leave it again by a descriptor.

use super::super::attack::{Loot, Scene, call, nothing, text};
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
    let place = text("/tmp");
    call(libc::SYS_chroot, &[place.as_ptr() as i64])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.now().root != report.before.root
}
