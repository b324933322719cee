//! Pastes into a console (TIOCLINUX). There is no virtual console here, so outside it
//! meets the terminal driver.

use super::super::attack::{Loot, Scene, ask_terminal, at};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Absent,
    stage: World::terminal,
    attack,
    seen: World::sees_nothing,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    ask_terminal(scene, 0x541c, at(&[3u8; 8]))
}
