//! Changes a semaphore of the host's (System V).

use super::super::attack::{Loot, Scene, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn stage(world: &mut World) {
    let id = call(libc::SYS_semget, &[world.scene.key.into(), 1, 0o1666]).unwrap();
    world.undo(Semaphore(id));
}

fn attack(scene: &Scene) -> Loot {
    let id = call(libc::SYS_semget, &[scene.key.into(), 1, 0])?;
    call(libc::SYS_semctl, &[id, 0, 16, 7])?; // SETVAL
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let id = call(libc::SYS_semget, &[world.scene.key.into(), 1, 0]).unwrap();
    call(libc::SYS_semctl, &[id, 0, 12, 0]) == Ok(7) // GETVAL
}

#[derive(Debug)]
struct Semaphore(i64);

impl super::super::world::Clean for Semaphore {
    fn clean(&mut self) {
        let _gone = call(libc::SYS_semctl, &[self.0, 0, libc::IPC_RMID.into(), 0]);
    }
}
