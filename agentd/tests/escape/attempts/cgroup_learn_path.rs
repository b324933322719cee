//! Learns which control group it is in, by whom and among what others.

use super::super::attack::{Loot, Scene, read, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage,
    attack,
    seen,
    inside: &[("*", Denied::Harmless)],
};

fn stage(world: &mut World) {
    let group = super::super::world::group(&world.scene.tag);
    world.scene.group = group.join("cgroup.procs").display().to_string();
    world.undo(Group(group));
}

fn attack(scene: &Scene) -> Loot {
    if scene.outside {
        write(&scene.group, "0")?;
    }
    read("/proc/self/cgroup")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("/casemate-")
}

#[derive(Debug)]
struct Group(std::path::PathBuf);

impl super::super::world::Clean for Group {
    fn clean(&mut self) {
        super::super::world::remove_group(&self.0);
    }
}
