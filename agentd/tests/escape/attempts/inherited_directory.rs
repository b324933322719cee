//! Uses a directory that was left open: it gives the whole tree back.

use super::super::attack::{Loot, Scene, bytes, call, io, own, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EBADF};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("*", EBADF)],
};

fn stage(world: &mut World) {
    world.file("secret", &world.secret);
}

fn attack(scene: &Scene) -> Loot {
    let name = text(&format!("{}/secret", scene.tag));
    for fd in 4..scene.kept {
        if let Ok(file) = call(libc::SYS_openat, &[fd.into(), name.as_ptr() as i64, 0]) {
            let mut all = Vec::new();
            io(std::io::Read::read_to_end(
                &mut std::fs::File::from(own(file)),
                &mut all,
            ))?;
            return bytes(all);
        }
    }
    Err(libc::EBADF)
}

fn seen(world: &mut World, report: &Report) -> bool {
    report.got(&world.secret)
}
