//! Executes a program that it wrote.

use super::super::attack::{Loot, Scene, plant, run};
use super::super::world::{Report, World};
use super::{Attempt, Control, EACCES, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("program");
    plant(&path, 0o755)?;
    run(&[&path, "prove", &scene.proof.to_string(), &scene.tag])
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.proof
}
