//! Sets an attribute on a file of its id.

use super::super::attack::{Loot, Scene, at, call, nothing, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let (path, name) = (text(&scene.shared("rules")), text("user.casemate"));
    call(
        libc::SYS_setxattr,
        &[path.as_ptr() as i64, name.as_ptr() as i64, at(b"x"), 1, 0],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let mut value = [0u8; 8];
    rustix::fs::getxattr(world.shared.join("rules"), "user.casemate", &mut value).is_ok()
}
