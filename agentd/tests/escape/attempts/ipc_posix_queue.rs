//! Opens a message queue by name (POSIX).

use super::super::attack::{Loot, Scene, call, held, text};
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
    let name = text(&scene.tag);
    let queue = call(
        libc::SYS_mq_open,
        &[
            name.as_ptr() as i64,
            (libc::O_CREAT | libc::O_RDWR).into(),
            0o600,
            0,
        ],
    )?;
    call(libc::SYS_mq_unlink, &[name.as_ptr() as i64]).ok();
    held(queue)
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.holds("/casemate-q") || report.holds(&world.scene.tag)
}
