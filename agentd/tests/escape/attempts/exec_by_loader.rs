//! Has the loader run a file that is not executable.

use super::super::attack::{Loot, Scene, io, own_program, run};
use super::super::world::World;
use super::{Attempt, Control, Denied, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::program_ran,
    inside: &[
        ("strict", Denied::Signal(libc::SIGXFSZ)),
        ("script proxy", Denied::Errno(libc::ENOSPC)),
        ("hands model", Denied::Exit(127)),
        ("*", Denied::Errno(127)),
    ],
};

fn attack(scene: &Scene) -> Loot {
    let path = scene.tmp("data");
    let written = io(std::fs::write(&path, own_program()?));
    if written.is_err() {
        // The next attempt needs the room; not every profile can remove a file.
        let _emptied = std::fs::File::create(&path);
    }
    written?;
    let loader = "/lib64/ld-linux-x86-64.so.2";
    // It reads the file and cannot map it as code: 127 is its exit status.
    run(&[loader, &path, "prove", &scene.proof.to_string(), &scene.tag])
}
