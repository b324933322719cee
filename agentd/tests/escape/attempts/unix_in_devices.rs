//! Connects to a service of the host that has its socket among the devices.

use super::super::attack::{Loot, Scene, nothing, say_to_unix};
use super::super::world::World;
use super::{Attempt, Control, ENOENT, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen: World::unix_was_reached,
    inside: &[("script proxy strict", EPERM), ("*", ENOENT)],
};

fn stage(world: &mut World) {
    let path = std::path::PathBuf::from(format!("/dev/{}", world.scene.tag));
    world.listen_unix(&path);
    world.undo(Service(path));
}

fn attack(scene: &Scene) -> Loot {
    say_to_unix(
        libc::SOCK_STREAM,
        format!("/dev/{}", scene.tag).as_bytes(),
        &scene.tag,
    )?;
    nothing()
}

#[derive(Debug)]
struct Service(std::path::PathBuf);

impl super::super::world::Clean for Service {
    fn clean(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}
