//! One compartment of a job against another, each pair: what it knows of the other
//! is all there is to know, and the host looks whether anything came of it.

use super::attempts::ALL;
use super::place::{Host, Probe, UID, as_inside, word};
use super::world::World;

const THREE: [&str; 3] = ["desktop", "hands", "script"];

struct Job {
    host: Host,
    probes: Vec<Option<Probe>>,
    starts: [u32; 3],
}

impl Job {
    fn new() -> Self {
        let mut job = Self {
            host: Host::new(),
            probes: vec![None, None, None],
            starts: [0; 3],
        };
        (0..3).for_each(|place| job.start(place));
        job
    }

    fn start(&mut self, place: usize) {
        let old = format!("{}-{}", THREE[place], self.starts[place]);
        if self.probes[place].take().is_some() {
            // Its id is free again once it is gone.
            self.host.wait(&old, true);
        }
        self.starts[place] += 1;
        let name = format!("{}-{}", THREE[place], self.starts[place]);
        let uid = UID + u32::try_from(place).unwrap();
        self.probes[place] = Some(self.host.inside(&name, THREE[place], uid));
    }

    fn probe(&self, place: usize) -> &Probe {
        self.probes[place].as_ref().unwrap()
    }

    /// A stage on which `victim` is attacked: its memory holds the secret.
    fn world(&self, name: &str, victim: usize) -> World {
        let uid = UID + u32::try_from(victim).unwrap();
        let mut world = self.host.world(name, uid);
        as_inside(&mut world);
        let report = self.probe(victim).make("secret_in_memory", &world).unwrap();
        let address = String::from_utf8(report.answer.unwrap()).unwrap();
        world.scene.address = address.parse().unwrap();
        world.scene.victim = self.probe(victim).pid;
        world.scene.descriptor = 3;
        world
    }
}

#[test]
fn no_compartment_reaches_into_another() {
    let mut job = Job::new();
    let attempts: Vec<_> = ALL
        .iter()
        .filter(|(name, _)| name.starts_with("process_"))
        .collect();
    assert!(attempts.len() > 20);
    for (attacker, victim) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        for (name, attempt) in &attempts {
            let mut world = job.world(name, victim);
            if *name == "process_slow_down" {
                // It may have slowed itself down before.
                job.start(victim);
                world = job.world(name, victim);
            }
            let what = format!("{name} of {} on {}", THREE[attacker], THREE[victim]);
            match job.probe(attacker).make(name, &world) {
                Some(report) => {
                    let seen = (attempt.seen)(&mut world, &report);
                    assert!(!seen, "{what}: ESCAPED, it said {}", word(&report));
                }
                None => job.start(attacker),
            }
            let report = job.probe(victim).make("nothing", &world);
            assert!(report.is_some(), "{what}: the victim is gone");
        }
    }
}

#[test]
fn no_compartment_reads_anothers_files_or_listens_in() {
    let job = Job::new();
    for (attacker, victim) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let world = job.world("files", victim);
        let what = format!("{} on {}", THREE[attacker], THREE[victim]);
        let written = job.probe(victim).make("secret_in_files", &world).unwrap();
        // Each has at least a /tmp of its own.
        assert_ne!(written.answer, Ok(b"0".to_vec()), "{what}");
        let read = job.probe(attacker).make("read_secrets", &world).unwrap();
        assert_eq!(read.answer, Err(libc::ENOENT), "{what}");
    }
    // Only the desktop may listen at all.
    for attacker in [1, 2] {
        let world = job.world("listen", 0);
        let listening = job.probe(0).make("listen", &world).unwrap();
        assert!(listening.answer.is_ok(), "{}", word(&listening));
        let report = job.probe(attacker).make("unix_abstract", &world).unwrap();
        let expected = [libc::ECONNREFUSED, libc::EPERM][attacker - 1];
        assert_eq!(report.answer, Err(expected), "{}", THREE[attacker]);
    }
}

#[test]
fn taken_over_hands_cannot_write_where_the_desktop_listens() {
    let job = Job::new();
    let world = job.world("desk", 0);
    let there = job.probe(0).make("write_desk", &world).unwrap();
    assert!(there.answer.is_ok(), "{}", word(&there));
    let hands = job.probe(1).make("write_desk", &world).unwrap();
    assert_eq!(hands.answer, Err(libc::EROFS));
    let script = job.probe(2).make("write_desk", &world).unwrap();
    assert_eq!(script.answer, Err(libc::ENOENT));
}
