//! Reads another's memory (process_vm_readv).

use super::super::attack::{Loot, Scene, at, bytes, call};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let mut all = vec![0u8; 64];
    let here = [all.as_mut_ptr() as u64, 64];
    let there = [scene.address, 64];
    call(
        libc::SYS_process_vm_readv,
        &[scene.victim.into(), at(&here), 1, at(&there), 1, 0],
    )?;
    bytes(all)
}
