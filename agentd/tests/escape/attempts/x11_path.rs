//! Connects to another display by its path: whoever does reads the screen and types.

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
    let directory = std::path::Path::new("/tmp/.X11-unix");
    std::fs::create_dir_all(directory).unwrap();
    let path = directory.join(format!("X{}", world.scene.key));
    world.listen_unix(&path);
    world.undo(Display(path));
}

fn attack(scene: &Scene) -> Loot {
    say_to_unix(
        libc::SOCK_STREAM,
        format!("/tmp/.X11-unix/X{}", scene.key).as_bytes(),
        "B",
    )?;
    nothing()
}

#[derive(Debug)]
struct Display(std::path::PathBuf);

impl super::super::world::Clean for Display {
    fn clean(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}
