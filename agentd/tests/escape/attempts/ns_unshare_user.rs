//! Leaves its user namespace for a new one.

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("browser", Denied::Declared), ("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_unshare, &[libc::CLONE_NEWUSER.into()])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.moved("user")
}
