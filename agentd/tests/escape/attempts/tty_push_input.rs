//! Pushes input into a terminal, as if a person had typed it (TIOCSTI).

use super::super::attack::{Loot, Scene, push_input};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::terminal,
    attack,
    seen: World::input_was_pushed,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    push_input(scene, 0x5412)
}
