//! Attaches without stopping it (PTRACE_SEIZE).

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    call(libc::SYS_ptrace, &[0x4206, scene.victim.into(), 0, 0])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    !world.victim_file("status").contains("TracerPid:\t0\n")
}
