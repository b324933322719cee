//! Adds swap space, where memory of others would be written.

use super::super::attack::{Loot, Scene, call, nothing, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn stage(world: &mut World) {
    let mut swap = vec![0u8; 1 << 20];
    let pages = u32::try_from(swap.len() / 4096 - 1).unwrap();
    swap[1024..1028].copy_from_slice(&1u32.to_ne_bytes());
    swap[1028..1032].copy_from_slice(&pages.to_ne_bytes());
    swap[4086..4096].copy_from_slice(b"SWAPSPACE2");
    std::fs::write(world.dir.join("swap"), swap).unwrap();
}

fn attack(scene: &Scene) -> Loot {
    let path = text(&scene.host("swap"));
    call(libc::SYS_swapon, &[path.as_ptr() as i64, 0])?;
    nothing()
}

fn seen(world: &mut World, _: &Report) -> bool {
    let path = world.dir.join("swap");
    let on = std::fs::read_to_string("/proc/swaps")
        .unwrap()
        .contains(path.to_str().unwrap());
    let _off = call(
        libc::SYS_swapoff,
        &[text(path.to_str().unwrap()).as_ptr() as i64],
    );
    on
}
