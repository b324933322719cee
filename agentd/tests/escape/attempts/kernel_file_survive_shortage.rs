//! Has others ended first when memory is short (oom_score_adj).

use super::super::attack::{Loot, Scene, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EROFS, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("browser", Denied::Declared), ("*", EROFS)],
};

fn attack(_: &Scene) -> Loot {
    write("/proc/self/oom_score_adj", "321")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.file("oom_score_adj").trim() == "321"
}
