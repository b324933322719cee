//! What a job leaves for the supervisor to open: links, pipes, and directories
//! that turn into links between check and use. And what is left of a supervisor, or of
//! its builder, when the other dies.

use super::asked::Ask;
use super::place::{Host, Start, UID, as_inside, children, until};
use super::world::World;

fn host() -> (Host, World) {
    staged(Host::new())
}

pub(super) fn staged(host: Host) -> (Host, World) {
    let mut world = host.world("supervisor", UID);
    world.share("secret", &world.secret);
    // As agentd names it; the job knows the name.
    let brought = format!("/agent/shared/{}", world.scene.tag);
    as_inside(&mut world);
    world.scene.dir = brought;
    (host, world)
}

pub(super) fn read(host: &Host, path: &str, naive: bool) -> Result<String, String> {
    let path = format!("work/{path}");
    let answer = host.ask(&Ask::Read { path, naive }, None);
    match answer.refused {
        Some(why) => Err(why),
        None => Ok(answer.text),
    }
}

#[test]
fn nothing_that_a_job_plants_leads_the_supervisor_out() {
    let (host, world) = host();
    let desktop = host.inside("desktop", "desktop", UID);
    desktop.make("links", &world).unwrap().answer.unwrap();
    assert_eq!(read(&host, "honest", false), Ok("honest".into()));
    let up = format!("up{}/secret", world.scene.dir);
    let magic = format!("magic{}/secret", world.scene.dir);
    for path in ["link", "directory/secret", &up, &magic] {
        // A reader that does not look falls for it.
        assert_eq!(read(&host, path, true), Ok(world.secret.clone()), "{path}");
        let refused = format!("errno {}", libc::ELOOP);
        assert_eq!(read(&host, path, false), Err(refused), "{path}");
    }
    let outside = format!("../../..{}/secret", world.scene.dir);
    assert_eq!(read(&host, &outside, true), Ok(world.secret.clone()));
    let refused = format!("errno {}", libc::EXDEV);
    assert_eq!(read(&host, &outside, false), Err(refused));
    // A pipe without a writer holds no reader up.
    let refused = format!("errno {}", libc::EINVAL);
    assert_eq!(read(&host, "pipe", false), Err(refused));
}

#[test]
fn a_directory_swapped_for_a_link_in_time_leads_nowhere() {
    let (host, world) = host();
    let desktop = host.inside("desktop", "desktop", UID);
    desktop.make("swap", &world).unwrap().answer.unwrap();
    let mut fell = 0;
    until("a naive reader falls for it", || {
        fell += i32::from(read(&host, "racing/secret", true) == Ok(world.secret.clone()));
        fell >= 3
    });
    let mut own = 0;
    until("both states were met", || {
        match read(&host, "racing/secret", false) {
            Ok(text) => {
                assert_eq!(text, "own");
                own += 1;
            }
            Err(why) => assert_eq!(why, format!("errno {}", libc::ELOOP)),
        }
        own >= 200
    });
}

/// One that falls for all of it is held by its own confinement.
#[test]
fn a_supervisor_that_does_not_look_is_led_nowhere() {
    let (host, world) = staged(Host::confined());
    let desktop = host.inside("desktop", "desktop", UID);
    desktop.make("links", &world).unwrap().answer.unwrap();
    assert_eq!(read(&host, "honest", true), Ok("honest".into()));
    let outside = format!("../../..{}/secret", world.scene.dir);
    for path in ["link", "directory/secret", &outside] {
        let refused = read(&host, path, true).unwrap_err();
        assert!(refused.contains("os error 13"), "{path}: {refused}");
    }
    let up = format!("up{}/secret", world.scene.dir);
    assert!(read(&host, &up, true).is_err());
}

/// One that was taken over names a path of a job that leads elsewhere, or elsewhere
/// itself, and has it brought into a sandbox.
#[test]
fn the_builder_brings_in_nothing_but_what_jobs_have() {
    let (host, world) = host();
    let desktop = host.inside("desktop", "desktop", UID);
    desktop.make("links", &world).unwrap().answer.unwrap();
    let work = |path: &str| format!("/jobs/job/work/{path}");
    let up = "up/agent/shared";
    // The way that it would take is there.
    let secret = format!("{up}/{}/secret", world.scene.tag);
    assert_eq!(read(&host, &secret, true), Ok(world.secret.clone()));
    for (from, code) in [
        (work("directory"), "sandbox.mount"),
        (work(up), "sandbox.mount"),
        (work("up/proc"), "sandbox.mount"),
        (work("up/group"), "sandbox.mount"),
        (work("../../../group"), "sandbox.order"),
        ("/group".to_owned(), "sandbox.order"),
        ("/proc".to_owned(), "sandbox.order"),
        ("/agent/shared".to_owned(), "sandbox.order"),
    ] {
        let start = Start {
            workspace: Some(from.clone()),
            ..Start::new("led-out", "desktop", UID + 1)
        };
        let refused = host.start(&start).unwrap_err();
        assert!(refused.contains(code), "{from}: {refused}");
    }
}

#[test]
fn nothing_outlives_the_supervisor_or_its_builder() {
    for of_supervisor in [true, false] {
        let host = Host::new();
        let _desktop = host.inside("desktop", "desktop", UID);
        let only = |of: u32| match children(of)[..] {
            [one] => one,
            ref all => panic!("{of} has {all:?}"),
        };
        // The outer process, the first one of the rooms, the builder: it has launchers
        // and its supervisor, which has no children at all.
        let builder = only(only(host.rooms()));
        let all = children(builder);
        let supervisor = all.iter().find(|pid| children(**pid).is_empty());
        let victim = if of_supervisor {
            *supervisor.expect("there is a supervisor")
        } else {
            builder
        };
        assert!(all.len() >= 2 && host.processes().len() > 4);
        unsafe { libc::kill(i32::try_from(victim).unwrap(), libc::SIGKILL) };
        until("everything is gone", || host.processes().is_empty());
    }
}
