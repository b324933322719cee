//! Plants a program that becomes its owner when another runs it.

use std::os::unix::fs::MetadataExt;

use super::super::attack::{Loot, Scene, bytes, plant};
use super::super::world::{Report, World};
use super::{Attempt, Control, Denied, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[
        ("strict", Denied::Signal(libc::SIGXFSZ)),
        ("script proxy", EPERM),
        ("*", Denied::Harmless),
    ],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("program");
    plant(scene, &path, 0o4755)?;
    bytes(path)
}

fn seen(_: &mut World, report: &Report) -> bool {
    let path = String::from_utf8(report.answer.clone().unwrap_or_default()).unwrap();
    let path = report.in_root(&path);
    let set = std::fs::metadata(&path).is_ok_and(|found| found.mode() & 0o4000 != 0);
    let mount = rustix::fs::statvfs(&path).unwrap();
    set && !mount.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID)
}
