//! Lists the root of the tree, which is more than it was given.

use super::super::attack::{Loot, Scene, bytes, io};
use super::super::world::{Report, World};
use super::{Attempt, Control, EACCES, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EACCES)],
};

fn attack(_: &Scene) -> Loot {
    let names: Vec<String> = io(std::fs::read_dir("/"))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    bytes(names.join(" "))
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("usr")
}
