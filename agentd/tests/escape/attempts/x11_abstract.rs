//! Connects to another display by its abstract name.

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
    world.listen_abstract(&format!("/tmp/.X11-unix/X{}", world.scene.key));
}

fn attack(scene: &Scene) -> Loot {
    say_to_unix(
        libc::SOCK_STREAM,
        format!("\0/tmp/.X11-unix/X{}", scene.key).as_bytes(),
        "B",
    )?;
    nothing()
}
