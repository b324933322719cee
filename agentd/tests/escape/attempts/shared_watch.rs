//! Watches what others do in a shared directory (inotify).

use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use super::super::attack::{Got, Loot, Scene, call, own, text};
use super::super::world::{Report, World};
use super::{Attempt, Control, EPERM};

pub(super) const ATTEMPT: Attempt = Attempt {
    control: Control::User,
    stage: World::share_rules,
    attack,
    seen,
    inside: &[("*", EPERM)],
};

fn attack(scene: &Scene) -> Loot {
    let watch = own(call(libc::SYS_inotify_init1, &[libc::IN_NONBLOCK.into()])?);
    let path = text(&scene.shared("rules"));
    call(
        libc::SYS_inotify_add_watch,
        &[
            watch.as_raw_fd().into(),
            path.as_ptr() as i64,
            libc::IN_ALL_EVENTS.into(),
        ],
    )?;
    Ok(Got {
        held: vec![watch],
        ..Got::default()
    })
}

fn seen(world: &mut World, report: &Report) -> bool {
    // The host opens the file; a watcher has an event waiting.
    let _opened = std::fs::read(world.shared.join("rules")).unwrap();
    let node = format!(
        "ino:{:x} ",
        std::fs::metadata(world.shared.join("rules")).unwrap().ino()
    );
    let numbers = std::fs::read_dir(format!("/proc/{}/fdinfo", report.pid)).unwrap();
    numbers.flatten().any(|entry| {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        text.lines()
            .any(|line| line.starts_with("inotify") && line.contains(&node))
    })
}
