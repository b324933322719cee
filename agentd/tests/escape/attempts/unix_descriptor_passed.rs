//! Has a service of the host hand over a directory (SCM_RIGHTS).

use super::super::attack::{Got, Loot, Scene, say_to_unix};
use super::super::world::{Report, World};
use super::{Attempt, Control, ECONNREFUSED, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage,
    attack,
    seen,
    inside: &[("script proxy strict", EPERM), ("*", ECONNREFUSED)],
};

fn stage(world: &mut World) {
    world.listen_abstract(&world.scene.tag.clone());
}

fn attack(scene: &Scene) -> Loot {
    let name = format!("\0{}", scene.tag);
    let socket = say_to_unix(libc::SOCK_STREAM, name.as_bytes(), &scene.tag)?;
    Ok(Got {
        held: vec![socket],
        ..Got::default()
    })
}

fn seen(world: &mut World, report: &Report) -> bool {
    // The service answers whoever comes with a directory of its own.
    let Ok((stream, _)) = world.unix.as_ref().unwrap().accept() else {
        return false;
    };
    let before = report.now();
    let directory = std::fs::File::open(&world.dir).unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = rustix::net::SendAncillaryBuffer::new(&mut space);
    let fds = [std::os::fd::AsFd::as_fd(&directory)];
    assert!(message.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
    let sent = rustix::net::sendmsg(
        &stream,
        &[std::io::IoSlice::new(b".")],
        &mut message,
        rustix::net::SendFlags::empty(),
    );
    sent.is_ok() && !before.descriptors.is_empty()
}
