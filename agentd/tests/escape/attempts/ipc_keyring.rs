//! Reads a key that another process of the id put into the user's keyring.

use super::super::attack::{Loot, Scene, at, bytes, call, text};
use super::super::world::World;
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::victim,
    attack,
    seen: World::secret_was_got,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let (kind, name) = (text("user"), text(&format!("secret-of-{}", scene.tag)));
    let key = call(
        libc::SYS_keyctl,
        &[10, -4, kind.as_ptr() as i64, name.as_ptr() as i64, 0],
    )?; // KEYCTL_SEARCH
    let all = vec![0u8; 128];
    let length = call(libc::SYS_keyctl, &[11, key, at(all.as_slice()), 128])?; // KEYCTL_READ
    bytes(&all[..usize::try_from(length).unwrap()])
}
