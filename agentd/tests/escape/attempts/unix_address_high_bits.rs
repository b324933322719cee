//! Sends to an address that lies where the low 32 bits of its place are zero, as if
//! there was none.

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::World;
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen: World::program_ran,
    inside: &[("*", EPERM)],
};

const PLACE: i64 = 1 << 32;

fn attack(scene: &Scene) -> Loot {
    let (rights, kind) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
    );
    call(
        libc::SYS_mmap,
        &[PLACE, 4096, rights.into(), kind.into(), -1, 0],
    )?;
    // The socket that it was given; this kind takes an address and leaves it be.
    let said = format!("proof {}", scene.tag);
    let sent = call(
        libc::SYS_sendto,
        &[
            scene.proof.into(),
            at(said.as_bytes()),
            i64::try_from(said.len()).unwrap(),
            0,
            PLACE,
            16,
        ],
    );
    call(libc::SYS_munmap, &[PLACE, 4096])?;
    sent.and_then(|_| nothing())
}
