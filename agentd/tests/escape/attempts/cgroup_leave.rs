//! Leaves its control group for another without limits.

use super::super::attack::{Loot, Scene, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn stage(world: &mut World) {
    let group = super::super::world::group(&world.scene.tag);
    world.scene.group = group.join("cgroup.procs").display().to_string();
    world.undo(Group(group));
}

fn attack(scene: &Scene) -> Loot {
    write(&scene.group, "0")
}

fn seen(world: &mut World, report: &Report) -> bool {
    let members = std::fs::read_to_string(&world.scene.group).unwrap();
    members
        .lines()
        .any(|line| line.trim() == report.pid.to_string())
}

#[derive(Debug)]
struct Group(std::path::PathBuf);

impl super::super::world::Clean for Group {
    fn clean(&mut self) {
        super::super::world::remove_group(&self.0);
    }
}
