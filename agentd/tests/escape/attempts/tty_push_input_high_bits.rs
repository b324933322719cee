//! The same with bits above the 32 that the kernel reads (CVE-2019-10063).

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
    ask_terminal(scene, 0x1_0000_5412, at(b"x"))
}
