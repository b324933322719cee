//! Writes a setting of the kernel.

use super::super::attack::{Loot, Scene, read, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Apart,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    write("/proc/sys/kernel/domainname", &scene.tag)?;
    read("/proc/sys/kernel/domainname")
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.scene.tag)
}
