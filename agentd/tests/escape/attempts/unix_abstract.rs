//! Connects to a service of the host by its abstract name, which is no file.

use super::super::attack::{Loot, Scene, nothing, say_to_unix};
use super::super::world::World;
use super::{Attempt, Control, ECONNREFUSED, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen: World::unix_was_reached,
    inside: &[("script proxy strict", EPERM), ("*", ECONNREFUSED)],
};

fn stage(world: &mut World) {
    world.listen_abstract(&world.scene.tag.clone());
}

fn attack(scene: &Scene) -> Loot {
    let name = format!("\0{}", scene.tag);
    say_to_unix(libc::SOCK_STREAM, name.as_bytes(), &scene.tag)?;
    nothing()
}
