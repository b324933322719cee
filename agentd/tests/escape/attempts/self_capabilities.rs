//! Takes capabilities on (capset).

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let header = [0x2008_0522u32, 0];
    // Outside, where all are held: fewer. Inside, where none is: all.
    let sets = if scene.outside {
        [1u32, 1, 0, 0, 0, 0]
    } else {
        [!0u32, !0, 0, !0, !0, 0]
    };
    call(libc::SYS_capset, &[at(&header), at(&sets)])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.now().line("CapEff") != report.before.line("CapEff")
}
