//! Learns an address in another process (get_robust_list).

use super::super::attack::{Loot, Scene, at, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, ESRCH};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", ESRCH)],
};

fn stage(world: &mut World) {
    world.victim();
}

fn attack(scene: &Scene) -> Loot {
    let (head, length) = (0u64, 0u64);
    call(
        libc::SYS_get_robust_list,
        &[scene.victim.into(), at(&head), at(&length)],
    )?;
    bytes("address")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("address")
}
