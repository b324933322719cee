//! The same by a descriptor that is open for reading.

use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use super::super::attack::{Loot, Scene, call, io, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("script proxy strict", EPERM), ("*", EROFS)],
};

fn stage(world: &mut World) {
    world.share("rules", "deny");
}

fn attack(scene: &Scene) -> Loot {
    let file = io(std::fs::File::open(scene.shared("rules")))?;
    call(libc::SYS_fchmod, &[file.as_raw_fd().into(), 0o666])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    std::fs::metadata(world.shared.join("rules"))
        .unwrap()
        .mode()
        & 0o777
        == 0o666
}
