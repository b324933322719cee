//! Opens shared memory of the host's by name (POSIX).

use super::super::attack::{Loot, Scene, read};
use super::super::world::World;
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", ENOENT)],
};

fn stage(world: &mut World) {
    use std::os::unix::fs::PermissionsExt;
    let path = format!("/dev/shm/{}", world.scene.tag);
    std::fs::write(&path, &world.secret).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    world.undo(Memory(path));
}

fn attack(scene: &Scene) -> Loot {
    read(&format!("/dev/shm/{}", scene.tag))
}

#[derive(Debug)]
struct Memory(String);

impl super::super::world::Clean for Memory {
    fn clean(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}
