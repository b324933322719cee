//! Makes a file by the i386 table, whose numbers mean other calls (int 0x80).

use super::super::attack::{Loot, Scene, call, held, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, SIGSYS, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: bare,
    attack,
    seen,
    inside: &[("*", SIGSYS)],
};

fn attack(scene: &Scene) -> Loot {
    let path = text(&scene.host("planted"));
    // An address that fits 32 bits.
    let low = call(
        libc::SYS_mmap,
        &[
            0,
            4096,
            3,
            (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT).into(),
            -1,
            0,
        ],
    )?;
    unsafe {
        std::ptr::copy_nonoverlapping(
            path.as_ptr(),
            low as *mut libc::c_char,
            path.as_bytes().len() + 1,
        )
    };
    let result: i64;
    // creat is 8 there; rbx belongs to the compiler, so it is put back.
    unsafe {
        std::arch::asm!(
            "xchg {low}, rbx",
            "int 0x80",
            "xchg {low}, rbx",
            low = inout(reg) low => _,
            inlateout("rax") 8i64 => result,
            in("rcx") 0o600i64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    if result < 0 {
        return Err(i32::try_from(-result).unwrap_or(0));
    }
    held(result)
}

fn seen(world: &mut World, _: &Report) -> bool {
    world.dir.join("planted").exists()
}
