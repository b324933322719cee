//! Uses a directory that was left open: it gives the whole tree back.

use super::super::attack::{Loot, Scene, bytes, call, io, own, text};
use super::super::world::World;
use super::{Attempt, Control, EBADF};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::keep_secret,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", EBADF)],
};

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
