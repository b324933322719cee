//! Locks a file that others need (flock), and holds it.

use std::os::fd::AsRawFd;

use super::super::attack::{Got, Loot, Scene, call, io};
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
    let file = io(std::fs::File::open(scene.shared("rules")))?;
    call(
        libc::SYS_flock,
        &[
            file.as_raw_fd().into(),
            (libc::LOCK_EX | libc::LOCK_NB).into(),
        ],
    )?;
    Ok(Got {
        held: vec![file.into()],
        ..Got::default()
    })
}

fn seen(world: &mut World, _: &Report) -> bool {
    let file = std::fs::File::open(world.shared.join("rules")).unwrap();
    file.try_lock().is_err()
}
