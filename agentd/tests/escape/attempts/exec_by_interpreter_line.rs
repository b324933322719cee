//! Executes a script that names a program as its interpreter.

use super::super::attack::{Loot, Scene, bytes, io, run};
use super::super::world::{Report, World};
use super::{Attempt, Control, EACCES, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EACCES)],
};

fn attack(scene: &Scene) -> Loot {
    use std::os::unix::fs::PermissionsExt;
    let path = scene.tmp("script");
    let line = format!("#!/proc/self/exe prove\n");
    io(std::fs::write(&path, line))?;
    io(std::fs::set_permissions(
        &path,
        PermissionsExt::from_mode(0o755),
    ))?;
    // The kernel runs `probe prove PATH 0 TAG`; it is enough that it is asked to.
    run(&[&path, &scene.proof.to_string(), &scene.tag]).and_then(|_| bytes("ran"))
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.got("ran")
}
