//! Swaps the directory that holds the policy for another.

use super::super::attack::{Loot, Scene, call, nothing, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, EROFS};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("script proxy strict", EPERM), ("*", EROFS)],
};

fn stage(world: &mut World) {
    for name in ["one", "other"] {
        let path = world.shared.join(name);
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(world.uid), Some(world.uid)).unwrap();
    }
    world.share("one/rules", "deny");
}

fn attack(scene: &Scene) -> Loot {
    let (one, other) = (text(&scene.shared("one")), text(&scene.shared("other")));
    let here = i64::from(libc::AT_FDCWD);
    // RENAME_EXCHANGE
    call(
        libc::SYS_renameat2,
        &[here, one.as_ptr() as i64, here, other.as_ptr() as i64, 2],
    )?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    !world.shared.join("one/rules").exists()
}
