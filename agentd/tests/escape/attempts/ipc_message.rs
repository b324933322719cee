//! Takes a message out of a queue of the host's (System V).

use super::super::attack::{Loot, Scene, at, bytes, call};
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
    let id = call(libc::SYS_msgget, &[world.scene.key.into(), 0o1666]).unwrap();
    world.undo(Queue(id));
    let mut message = [0u8; 72];
    message[0] = 1;
    for (to, from) in message[8..].iter_mut().zip(world.secret.bytes()) {
        *to = from;
    }
    call(libc::SYS_msgsnd, &[id, at(&message), 64, 0]).unwrap();
}

fn attack(scene: &Scene) -> Loot {
    let id = call(libc::SYS_msgget, &[scene.key.into(), 0])?;
    let message = [0u8; 72];
    call(
        libc::SYS_msgrcv,
        &[id, at(&message), 64, 0, libc::IPC_NOWAIT.into()],
    )?;
    bytes(&message[8..])
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.secret[..30.min(world.secret.len())])
}

#[derive(Debug)]
struct Queue(i64);

impl super::super::world::Clean for Queue {
    fn clean(&mut self) {
        let _gone = call(libc::SYS_msgctl, &[self.0, libc::IPC_RMID.into(), 0]);
    }
}
