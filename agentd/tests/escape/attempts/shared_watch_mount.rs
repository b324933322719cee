//! Watches everything on a mount (fanotify).

use super::super::attack::{Loot, Scene, call, held};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    held(call(libc::SYS_fanotify_init, &[0, 0])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("[fanotify]")
}
