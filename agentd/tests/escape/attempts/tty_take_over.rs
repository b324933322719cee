//! Makes a terminal its controlling one (TIOCSCTTY).

use super::super::attack::{Loot, Scene, ask_terminal, call};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::terminal,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    call(libc::SYS_setsid, &[]).ok();
    ask_terminal(scene, 0x540e, 1)
}

fn seen(_: &mut World, report: &Report) -> bool {
    let number = report.file("stat");
    // Field 7, after the name in brackets: the controlling terminal.
    let field = number
        .rsplit(") ")
        .next()
        .unwrap()
        .split(' ')
        .nth(4)
        .unwrap();
    field != "0"
}
