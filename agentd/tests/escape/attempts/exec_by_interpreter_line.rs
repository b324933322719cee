//! Executes a script that names a program as its interpreter.

use super::super::attack::{Loot, Scene, io, run};
use super::super::world::World;
use super::{Attempt, Control, Denied, EACCES, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::program_ran,
    inside: &[("strict", Denied::Signal(libc::SIGXFSZ)), ("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = scene.tmp("script");
    let line = "#!/proc/self/exe prove\n";
    let file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(&path);
    io(file.and_then(|mut file| file.write_all(line.as_bytes())))?;
    // The kernel runs `probe prove PATH FD TAG`.
    run(&[&path, &scene.proof.to_string(), &scene.tag])
}
