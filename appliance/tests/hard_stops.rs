//! Hard stops with real means: a full disk, and kill -9 under load.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by failing"
)]

mod state_bed;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use casemate_appliance::store::entry::Entry;
use casemate_appliance::store::index::ROOM;
use casemate_appliance::store::{OpenError, Store};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use state_bed::{Tpm, fill, halt, open};

/// A small file system of its own, unmounted however the test ends.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some(size.as_str()),
        )
        .expect("root may mount");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).unwrap();
    }
}

/// Takes all space but `left` bytes.
fn occupy(disk: &Path, left: u64) -> PathBuf {
    use std::io::Write as _;
    let ballast = disk.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(left)).unwrap();
    ballast
}

#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let disk = SmallDisk::new(24 << 20);
    let (state, tpm) = (disk.path().join("state"), Tpm::default());
    let (store, _) = open(&state, &tpm).unwrap();
    fill(&store, 1);
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut refused = 0;
    for round in 0..3 {
        let ballast = occupy(disk.path(), 40_000 + ROOM);
        let size = store.checkpoint().checkpoint.size;
        let mut number = round * 10_000;
        let mut streak = 0;
        while streak < 5 {
            number += 1;
            match store.commit(halt(&number.to_string())) {
                Ok(_) => acknowledged.push(number),
                Err(error) => {
                    assert_eq!(error.code().id, "state.full", "{error}");
                    streak += 1;
                    refused += 1;
                }
            }
        }
        assert!(
            store.checkpoint().checkpoint.size > size,
            "nothing was taken in round {round}"
        );
        let upload = store.upload_writer(state_bed::spec(1).tenant).map(|_| ());
        assert_eq!(upload.unwrap_err().code().id, "state.full");
        let subject = casemate_appliance::keys::SubjectId::SYSTEM;
        let stored = store.put_artifact(subject, &vec![3; 2 << 20]);
        assert_eq!(stored.unwrap_err().code().id, "state.full");
        std::fs::remove_file(ballast).unwrap();
        number += 1;
        store.commit(halt(&number.to_string())).unwrap();
        acknowledged.push(number);
        assert_eq!(
            store.index().halt().unwrap().unwrap().by,
            number.to_string()
        );
    }
    assert!(refused >= 15);
    let digest = store.index().content_digest().unwrap();
    store.close().unwrap();
    drop(store);
    let (store, report) = open(&state, &tpm).unwrap();
    assert_eq!((report.clean, report.cut, report.rebuilt), (true, 0, None));
    assert_eq!(store.index().content_digest().unwrap(), digest);
    // Exactly what was acknowledged, nothing of what was refused.
    assert_eq!(said(&store), acknowledged);
    assert_eq!(chunks(&state), 4, "nothing of what was refused");
}

#[test]
fn a_state_is_not_begun_on_a_full_disk_and_is_when_there_is_room() {
    let disk = SmallDisk::new(24 << 20);
    let (state, tpm) = (disk.path().join("state"), Tpm::default());
    for left in [0, 4096, 8192, 16384, 20480, 28672, 65536] {
        let ballast = occupy(disk.path(), left);
        match open(&state, &tpm) {
            Ok((store, _)) => drop(store.commit(halt("early"))),
            Err(error) => assert_eq!(error.code().id, "state.full", "{left} left: {error}"),
        }
        std::fs::remove_file(ballast).unwrap();
    }
    let (store, _) = open(&state, &tpm).unwrap();
    store.commit(halt("ada")).unwrap();
    store.close().unwrap();
}

fn chunks(state: &Path) -> usize {
    std::fs::read_dir(state.join("artifacts"))
        .unwrap()
        .map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count())
        .sum()
}

/// What the halts in the journal say, in order; other than the bed's own.
fn said(store: &Store) -> Vec<u64> {
    (0..store.checkpoint().checkpoint.size)
        .filter_map(|number| match store.read(number).unwrap().entry {
            Some(Entry::HaltSet { by, .. }) => by.parse().ok(),
            _ => None,
        })
        .collect()
}

const DIR: &str = "CASEMATE_TEST_KILLED_STATE";

#[test]
#[ignore = "the child of the test below"]
fn child_writer() {
    let dir = PathBuf::from(std::env::var_os(DIR).expect("run by its parent test only"));
    let (store, report) = open(&dir, &Tpm::default()).unwrap();
    let start = report.entries * 1000;
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                for number in (start + thread..).step_by(4) {
                    store.commit(halt(&number.to_string())).unwrap();
                    println!("acknowledged {number}");
                    if number % 16 == thread {
                        let subject = casemate_appliance::keys::SubjectId::SYSTEM;
                        store.put_artifact(subject, &vec![7; 1_500_000]).unwrap();
                    }
                }
            });
        }
    });
}

/// A child that is killed and waited for however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn twenty_killed_writers_lose_nothing_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: HashSet<u64> = HashSet::new();
    for round in 0..20u32 {
        let mut child = Killed(
            Command::new(std::env::current_exe().unwrap())
                .args(["child_writer", "--exact", "--ignored", "--nocapture"])
                .env(DIR, dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let wanted = 7 + round * 13 % 60;
        let mut seen = 0;
        for line in lines {
            // The test runner's own lines come before, on the same output.
            let line = line.unwrap();
            let Some((_, number)) = line.rsplit_once("acknowledged ") else {
                continue;
            };
            // A line cut off by the kill is no number; the store is then only richer.
            let Ok(number) = number.parse() else { continue };
            acknowledged.insert(number);
            seen += 1;
            if seen == wanted {
                child.0.kill().unwrap();
            }
        }
        assert!(seen >= wanted, "the child ended by itself in round {round}");
        drop(child);
        let (store, report) = reopen(dir.path());
        assert!(!report.clean && report.rebuilt.is_none(), "{report:?}");
        let said: HashSet<u64> = said(&store).into_iter().collect();
        let lost: Vec<_> = acknowledged.difference(&said).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        assert_eq!(
            chunks(dir.path()),
            0,
            "chunks that no entry names are swept"
        );
        store.verify().unwrap();
        // The index caught up to what a new one would be.
        if round % 5 == 4 {
            let digest = store.index().content_digest().unwrap();
            store.close().unwrap();
            drop(store);
            std::fs::remove_dir_all(dir.path().join("index")).unwrap();
            let (store, _) = reopen(dir.path());
            assert_eq!(store.index().content_digest().unwrap(), digest);
        }
    }
    assert!(acknowledged.len() > 400, "{}", acknowledged.len());
}

fn reopen(dir: &Path) -> (Store, casemate_appliance::store::Report) {
    match open(dir, &Tpm::default()) {
        Err(OpenError::Locked(_)) => panic!("a killed daemon holds its lock"),
        other => other.unwrap(),
    }
}
