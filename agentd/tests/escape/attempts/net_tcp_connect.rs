//! Connects to a port of the host.

use super::super::attack::{Loot, Scene, say_to_tcp};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::listen_tcp,
    attack,
    seen: World::tcp_was_reached,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    say_to_tcp(scene, 0)
}
