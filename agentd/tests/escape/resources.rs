//! A sandbox takes all it can get: it meets its limit, the host and the next
//! sandbox do not notice, and nothing is left.

use std::path::Path;

use super::attempts::Control;
use super::place::{Host, Probe, Start, UID, as_inside, processes, until, word};
use super::world::{Report, World};

const MIB: u64 = 1 << 20;

/// A hostile sandbox and a neighbour of it.
struct Two {
    host: Host,
    hostile: Probe,
    neighbour: Probe,
    world: World,
}

impl Two {
    fn new(start: &Start) -> Self {
        let host = Host::new();
        let hostile = host.start(start).unwrap();
        let neighbour = host.inside("neighbour", "script", UID + 1);
        let mut world = host.world("resources", UID);
        as_inside(&mut world);
        Self {
            host,
            hostile,
            neighbour,
            world,
        }
    }

    fn make(&self, deed: &str) -> Option<Report> {
        let report = self.hostile.make(deed, &self.world);
        self.neighbour_works();
        report
    }

    fn neighbour_works(&self) {
        let report = self.neighbour.make("nothing", &self.world);
        assert_eq!(report.map(|report| report.answer), Some(Ok(Vec::new())));
    }

    /// Ends the hostile one; nothing of it is left.
    fn end(self) -> super::asked::Answer {
        let answer = self.host.wait("hostile", true);
        self.neighbour_works();
        let left = processes(self.host.uids + UID, 1);
        assert_eq!(left, Vec::<i32>::new());
        for hierarchy in [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/pids",
            "/sys/fs/cgroup/memory",
        ] {
            let group = format!(
                "{hierarchy}/casemate-agentd-{}-{}/hostile",
                space(),
                self.host.rooms()
            );
            assert!(!Path::new(&group).exists(), "{group} is left");
        }
        answer
    }
}

fn start() -> Start {
    Start::new("hostile", "desktop", UID)
}

fn count(report: &Report) -> usize {
    let bytes = report.answer.as_ref().unwrap();
    String::from_utf8_lossy(bytes).parse().unwrap()
}

#[test]
fn a_fork_bomb() {
    let two = Two::new(&Start {
        pids: Some(40),
        ..start()
    });
    // Outside nothing stops it.
    let control = two.host.outside(Control::User);
    let report = control.make("fork_bomb", &two.world).unwrap();
    assert_eq!(count(&report), 600);
    assert!(processes(two.host.uids + UID, 1).len() > 600);
    drop(control);
    until("the control has ended", || {
        // init and the program.
        processes(two.host.uids + UID, 1).len() == 2
    });

    let report = two.make("fork_bomb").unwrap();
    // The launcher is in the group as well, with agentd's id.
    let there = processes(two.host.uids + UID, 1).len();
    assert!((30..40).contains(&there), "{there}, {}", word(&report));
    two.end();
}

#[test]
fn memory_without_end() {
    let two = Two::new(&Start {
        memory_bytes: Some(64 * MIB),
        ..start()
    });
    let control = two.host.outside(Control::User);
    let report = control.make("take_memory", &two.world).unwrap();
    assert_eq!(count(&report), 512);
    drop(control);

    assert!(two.make("take_memory").is_none(), "it lived");
    let answer = two.end();
    // The program, or first its init, by the kernel's choice.
    assert!(
        ["signalled 9", "killed"].contains(&answer.how.as_str()),
        "{answer:?}"
    );
    assert!(answer.memory_kills >= 1, "{answer:?}");
    assert!(answer.memory_peak <= 64 * MIB, "{answer:?}");
}

#[test]
fn a_disk_filled_by_one_file_by_many_and_by_empty_ones() {
    // Outside it is the host's disk that takes it all.
    let host = Host::new();
    let world = host.world("disk", UID);
    let control = host.outside(Control::User);
    assert!(control.make("one_file", &world).unwrap().answer.is_ok());
    let written = std::fs::metadata(world.dir.join("one")).unwrap().len();
    assert_eq!(written, 512 * MIB);
    drop(world);
    drop(host);

    for place in ["/tmp", "/workspace"] {
        let mut two = Two::new(&start());
        two.world.scene.tmp = place.into();
        let before = std::fs::read_dir("/tmp").unwrap().count();
        let seen = Path::new(&format!("/proc/{}/root{place}", two.hostile.pid)).to_owned();
        let size = rustix::fs::statvfs(&seen).unwrap();
        let limit = size.f_blocks * size.f_frsize;
        assert!(limit <= 256 * MIB && size.f_files <= 16_384, "{limit}");
        for (deed, errnos) in [
            // One file meets the limit on a file or on all, whichever is less.
            ("many_files", &[libc::ENOSPC][..]),
            ("one_file", &[libc::ENOSPC, libc::EFBIG]),
            ("empty_files", &[libc::ENOSPC]),
        ] {
            let report = two.make(deed).unwrap();
            let errno = report.answer.unwrap_err();
            assert!(errnos.contains(&errno), "{place} {deed}: errno {errno}");
            let now = rustix::fs::statvfs(&seen).unwrap();
            assert_eq!(now.f_blocks * now.f_frsize, limit);
        }
        assert_eq!(rustix::fs::statvfs(&seen).unwrap().f_ffree, 0, "{place}");
        let after = std::fs::read_dir("/tmp").unwrap().count();
        assert!(after <= before + 64, "{after} in the host's /tmp");
        two.end();
    }
}

#[test]
fn descriptors_output_and_processor_time() {
    let two = Two::new(&start());
    let report = two.make("open_files").unwrap();
    let open = report.now().descriptors.len();
    assert!((900..=1024).contains(&open), "{open}");

    assert!(two.make("flood").unwrap().answer.is_ok());
    two.make("spin").unwrap();
    for _ in 0..50 {
        two.neighbour_works();
    }
    let answer = two.end();
    // What it wrote is kept by its end only.
    assert_eq!(answer.text.len(), 64 << 10);
}

#[test]
fn orphans_end_with_the_sandbox() {
    let host = Host::new();
    let world = host.world("orphans", UID);
    let control = host.outside(Control::User);
    control.make("orphans", &world).unwrap();
    drop(control);
    // Outside they outlive whoever started them.
    until("four orphans", || processes(host.uids + UID, 1).len() == 4);
    for pid in processes(host.uids + UID, 1) {
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    until("none", || processes(host.uids + UID, 1).is_empty());

    let two = Two::new(&start());
    two.make("orphans").unwrap();
    let uid = two.host.uids + UID;
    // init, the program and the four.
    until("four orphans", || processes(uid, 1).len() == 6);
    two.end();
}

/// The number of this process-id namespace, by which agentd's groups are told apart.
fn space() -> String {
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap();
    space
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}
