//! Reads the machine's devices (sysfs).

use super::super::attack::{Loot, Scene, read};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(_: &Scene) -> Loot {
    read("/sys/kernel/uevent_seqnum")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.answer.as_ref().is_ok_and(|bytes| !bytes.is_empty())
}
