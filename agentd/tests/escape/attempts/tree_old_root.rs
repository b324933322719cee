//! Steps above its root, where the tree of before may still hang.

use super::super::attack::{Loot, Scene, bytes, io};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    // agentd's own tree has this directory; no path of the sandbox leads to it.
    let path = if scene.outside {
        "/../etc"
    } else {
        "/../packs"
    };
    io(std::fs::metadata(path))?;
    bytes("found")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("found")
}
