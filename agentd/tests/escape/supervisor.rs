//! What a job leaves for the supervisor to open: links, pipes, and directories
//! that turn into links between check and use.

use super::asked::Ask;
use super::place::{Host, UID, as_inside, until};
use super::world::World;

fn host() -> (Host, World) {
    let host = Host::new();
    let mut world = host.world("supervisor", UID);
    world.share("secret", &world.secret);
    // As agentd names it; the job cannot see it, but knows the name.
    let brought = format!("/brought/shared/{}", world.scene.tag);
    as_inside(&mut world);
    world.scene.dir = brought;
    (host, world)
}

fn read(host: &Host, path: &str, naive: bool) -> Result<String, String> {
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
