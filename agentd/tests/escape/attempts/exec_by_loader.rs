//! Has the loader run a file that is not executable.

use super::super::attack::{Loot, Scene, plant, run};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("data");
    plant(&path, 0o644)?;
    let loader = "/lib64/ld-linux-x86-64.so.2";
    run(&[loader, &path, "prove", &scene.proof.to_string(), &scene.tag])
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.proof
}
