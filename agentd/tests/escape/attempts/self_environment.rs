//! Finds secrets in its environment.

use super::super::attack::{Loot, Scene, read};
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
    read("/proc/self/environ")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("CASEMATE_ESCAPE_SECRET")
}
