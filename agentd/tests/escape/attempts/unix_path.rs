//! Connects to a service of the host by its path, as to a container engine.

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
    world.listen_unix(&world.dir.join("service"));
}

fn attack(scene: &Scene) -> Loot {
    say_to_unix(
        libc::SOCK_STREAM,
        scene.host("service").as_bytes(),
        &scene.tag,
    )?;
    nothing()
}
