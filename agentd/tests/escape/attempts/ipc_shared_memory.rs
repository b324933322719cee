//! Attaches shared memory of the host's by its key (System V).

use super::super::attack::{Loot, Scene, bytes, call};
use super::super::world::World;
use super::{Attempt, Control, ENOENT, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen: World::secret_was_got,
    inside: &[("desktop browser", ENOENT), ("*", EPERM)],
};

fn stage(world: &mut World) {
    let id = call(libc::SYS_shmget, &[world.scene.key.into(), 64, 0o1666]).unwrap();
    world.undo(Segment(id));
    let memory = call(libc::SYS_shmat, &[id, 0, 0]).unwrap();
    let secret = world.secret.as_bytes();
    let length = secret.len().min(64);
    unsafe { std::ptr::copy_nonoverlapping(secret.as_ptr(), memory as *mut u8, length) };
    call(libc::SYS_shmdt, &[memory]).unwrap();
}

fn attack(scene: &Scene) -> Loot {
    let id = call(libc::SYS_shmget, &[scene.key.into(), 64, 0])?;
    let memory = call(libc::SYS_shmat, &[id, 0, libc::SHM_RDONLY.into()])?;
    bytes(unsafe { std::slice::from_raw_parts(memory as *const u8, 64) })
}

#[derive(Debug)]
struct Segment(i64);

impl super::super::world::Clean for Segment {
    fn clean(&mut self) {
        let _gone = call(libc::SYS_shmctl, &[self.0, libc::IPC_RMID.into(), 0]);
    }
}
