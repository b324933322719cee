//! Writes another's memory (process_vm_writev).

use super::super::attack::{Loot, Scene, at, call, nothing};
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
    let here = [b"taken".as_ptr() as u64, 5];
    let there = [scene.address, 5];
    call(
        libc::SYS_process_vm_writev,
        &[scene.victim.into(), at(&here), 1, at(&there), 1, 0],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.victim_memory().starts_with("taken")
}
