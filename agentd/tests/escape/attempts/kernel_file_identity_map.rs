//! Writes an identity map of its own.

use super::super::attack::{Loot, Scene, call, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, EROFS, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("browser", EPERM), ("*", EROFS)],
};

fn attack(scene: &Scene) -> Loot {
    let mapped = write("/proc/self/uid_map", &format!("0 {} 1", scene.other));
    if scene.outside {
        call(libc::SYS_unshare, &[libc::CLONE_NEWUSER.into()])?;
        let own = unsafe { libc::getuid() };
        let _ignored = own;
        return write("/proc/self/uid_map", &format!("0 {} 1", scene.other - 7));
    }
    mapped
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.file("uid_map").split_whitespace().next() == Some("0") && report.moved("user")
}
