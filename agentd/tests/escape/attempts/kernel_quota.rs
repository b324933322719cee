//! Asks for the quotas of a file system (quotactl).

use super::super::attack::{Loot, Scene, bytes, call};
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
    call(libc::SYS_quotactl, &[0x8000_0100, 0, 0, 0])?; // Q_SYNC of all
    bytes("synced")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("synced")
}
