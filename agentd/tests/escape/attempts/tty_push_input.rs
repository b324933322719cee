//! Pushes input into a terminal, as if a person had typed it (TIOCSTI).

use super::super::attack::{Loot, Scene, ask_terminal, at};
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
    ask_terminal(scene, 0x5412, at(b"x"))
}
