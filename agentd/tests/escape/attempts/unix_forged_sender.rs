//! Says that a message comes from another process than it does (SCM_CREDENTIALS).

use super::super::attack::{Loot, Scene, at, call, nothing};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM, bare};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::Root,
    stage: bare,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let parent = unsafe { libc::getppid() };
    let sender = libc::ucred {
        pid: parent,
        uid: unsafe { libc::getuid() },
        gid: unsafe { libc::getgid() },
    };
    let what = b"forged";
    let mut part = libc::iovec {
        iov_base: what.as_ptr() as *mut libc::c_void,
        iov_len: what.len(),
    };
    let mut space = [0u64; 4];
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = space.as_mut_ptr().cast();
    message.msg_controllen = 32;
    let head = unsafe { &mut *libc::CMSG_FIRSTHDR(&raw const message) };
    head.cmsg_level = libc::SOL_SOCKET;
    head.cmsg_type = libc::SCM_CREDENTIALS;
    head.cmsg_len = 28;
    unsafe {
        libc::CMSG_DATA(head)
            .cast::<libc::ucred>()
            .write_unaligned(sender)
    };
    call(libc::SYS_sendmsg, &[scene.proof.into(), at(&message), 0])?;
    nothing()
}

fn seen(_: &mut World, report: &Report) -> bool {
    report.forged
}
