//! Loads a map into the kernel (bpf).

use super::super::attack::{Loot, Scene, at, call, held};
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
    // BPF_MAP_CREATE of an array: type, key size, value size, entries.
    let attributes = [2u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    held(call(libc::SYS_bpf, &[0, at(&attributes), 72])?)
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.holds("bpf-map")
}
