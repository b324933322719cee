//! Slows every process of the same id down (setpriority).

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", Denied::Harmless)],
};

fn attack(_: &Scene) -> Loot {
    call(libc::SYS_setpriority, &[2, 0, 19])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let stat = world.victim_file("stat");
    stat.rsplit(") ").next().unwrap().split(' ').nth(16) == Some("19")
}
