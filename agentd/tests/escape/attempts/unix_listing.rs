//! Lists who listens, and where (/proc/self/net).

use super::super::attack::{Loot, Scene, read_all};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", Denied::Harmless)],
};

fn stage(world: &mut World) {
    world.listen_abstract(&world.scene.tag.clone());
}

fn attack(_: &Scene) -> Loot {
    read_all("/proc/self/net/unix")
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.scene.tag)
}
