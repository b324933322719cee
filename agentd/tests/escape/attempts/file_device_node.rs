//! Makes the node of a device, as of the host's disk.

use std::os::unix::fs::FileTypeExt;

use super::super::attack::{Loot, Scene, bytes, call, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EACCES, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("script proxy strict", EPERM), ("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("node");
    let node = text(&path);
    call(
        libc::SYS_mknod,
        &[node.as_ptr() as i64, (libc::S_IFCHR | 0o666).into(), 0x0108],
    )?;
    bytes(path)
}

fn seen(_: &mut World, report: &Report) -> bool {
    let path = String::from_utf8(report.answer.clone().unwrap_or_default()).unwrap();
    std::fs::symlink_metadata(report.in_root(&path))
        .is_ok_and(|found| found.file_type().is_char_device())
}
