//! Asks the kernel for mounts beyond its own view (statmount).

use super::super::attack::{Loot, Scene, at, bytes, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(_: &Scene) -> Loot {
    // struct mnt_id_req { size, ns fd, mount id, what }: of the root of all.
    let request = [24u64, u64::MAX, 0, 0];
    let mounts = [0u64; 64];
    call(458, &[at(&request), at(&mounts), 64, 0])?;
    bytes("mounts")
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("mounts")
}
