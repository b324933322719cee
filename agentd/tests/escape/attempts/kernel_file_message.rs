//! Writes into the kernel's log.

use super::super::attack::{Loot, Scene, write};
use super::super::world::{Report, World};
use super::{Attempt, Control, ENOENT, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", ENOENT)],
};

fn attack(scene: &Scene) -> Loot {
    write("/dev/kmsg", &format!("{}\n", scene.tag))
}

fn seen(world: &mut World, _: &Report) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    let log = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/kmsg")
        .unwrap();
    let mut record = vec![0; 8192];
    // One record a read, until there is none; a lapse is not an end.
    loop {
        match rustix::io::read(&log, &mut record) {
            Ok(length) if String::from_utf8_lossy(&record[..length]).contains(&world.scene.tag) => {
                return true;
            }
            Ok(_) | Err(rustix::io::Errno::PIPE) => {}
            Err(_) => return false,
        }
    }
}
