//! Overwrites a program that others run as well (CVE-2019-5736).

use std::os::unix::fs::PermissionsExt;

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
    let program = world.share("program", "original");
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
}

fn attack(scene: &Scene) -> Loot {
    write(&scene.shared("program"), "replaced")
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::read(world.shared.join("program"))
        .unwrap()
        .starts_with(b"replaced")
}
