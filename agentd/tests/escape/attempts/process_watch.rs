//! Opens a descriptor of another process (pidfd_open).

use super::super::attack::{Loot, Scene, call, held};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("script proxy strict hands model", EPERM), ("*", ESRCH)],
};

fn attack(scene: &Scene) -> Loot {
    held(call(libc::SYS_pidfd_open, &[scene.victim.into(), 0])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("pidfd")
}
