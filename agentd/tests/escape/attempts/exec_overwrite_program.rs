//! Overwrites a program that others run as well (CVE-2019-5736).

use super::super::attack::{Loot, Scene, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", EROFS)],
};

fn stage(world: &mut World) {
    world.file("program", "original");
}

fn attack(scene: &Scene) -> Loot {
    write(&scene.program, "replaced")
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::read(world.dir.join("program"))
        .unwrap()
        .starts_with(b"replaced")
        || !std::fs::read(&world.probe).unwrap().starts_with(b"\x7fELF")
}
