//! Leaves a key in the kernel for others.

use super::super::attack::{Loot, Scene, at, bytes, call, text};
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
    let (kind, name) = (text("user"), text(&scene.tag));
    let key = call(
        libc::SYS_add_key,
        &[kind.as_ptr() as i64, name.as_ptr() as i64, at(b"x"), 1, -4],
    )?;
    bytes(format!("key {key}"))
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("key ")
}
