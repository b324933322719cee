//! Locks a file that others need (flock), and holds it.

use super::super::attack::{Loot, Scene, hold_rules};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let exclusively = libc::LOCK_EX | libc::LOCK_NB;
    hold_rules(scene, libc::SYS_flock, &[exclusively.into()])
}

fn seen(world: &mut World, _: &Report) -> bool {
    let file = std::fs::File::open(world.shared.join("rules")).unwrap();
    file.try_lock().is_err()
}
