//! Power cuts: an acknowledged entry is never lost.
//!
//! The same harness judges sled as it comes, which must lose nearly everything it acknowledged,
//! and sled with the sync that it lacks, which must lose nothing; else the harness is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by failing"
)]

mod power;
mod state_bed;

use std::collections::HashSet;
use std::path::Path;

use casemate_appliance::keys::SubjectId;
use casemate_appliance::store::entry::Entry;
use casemate_appliance::store::{Setup, Store};
use power::{Arrived, Dice, Recording};
use state_bed::{Tpm, halt, open, setup};

const WRITES: u64 = 500;
const SEED: u64 = 20_261_124;
const CUTS: usize = 60;

#[test]
#[ignore = "the child of the tests below"]
fn child_store() {
    let (root, acknowledge) = power::child();
    // Small segments, so that many are begun under way.
    let small = Setup {
        segment_bytes: 20_000,
        ..setup(&root, &Tpm::default())
    };
    let (store, _) = Store::open(small).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, acknowledge) = (&store, &acknowledge);
            scope.spawn(move || {
                for number in (0..WRITES).filter(|number| number % 4 == thread) {
                    if number % 25 == 0 {
                        stored(store, number);
                    } else {
                        store.commit(halt(&number.to_string())).unwrap();
                    }
                    acknowledge(number);
                }
            });
        }
    });
}

/// A file with the entry that names it.
fn stored(store: &Store, number: u64) {
    let bytes = number.to_be_bytes();
    let bundle = store.put_artifact(SubjectId::SYSTEM, &bytes).unwrap();
    let (name, by) = (format!("w{number}"), number.to_string());
    store
        .commit(Entry::WorkflowAdded { name, bundle, by })
        .unwrap();
}

#[test]
#[ignore = "the child of the tests below"]
fn child_sled() {
    sled_child(false);
}

#[test]
#[ignore = "the child of the tests below"]
fn child_sled_with_sync() {
    sled_child(true);
}

fn sled_child(sync: bool) {
    let (root, acknowledge) = power::child();
    let db = sled(&root);
    db.flush().unwrap();
    // The database is an old one: its files and their names are durable before the test begins.
    for name in ["db", "conf", "snap.0000000000000000"] {
        if let Ok(file) = std::fs::File::open(root.join(name)) {
            file.sync_all().unwrap();
        }
    }
    std::fs::File::open(&root).unwrap().sync_all().unwrap();
    let file = std::fs::File::open(root.join("db")).unwrap();
    for number in 0..WRITES {
        db.insert(number.to_be_bytes(), vec![7; 100]).unwrap();
        db.flush().unwrap();
        if sync {
            file.sync_data().unwrap();
        }
        acknowledge(number);
    }
    // No clean end: the power goes.
    std::mem::forget(db);
}

fn sled(dir: &Path) -> sled::Db {
    sled::Config::default()
        .path(dir)
        .flush_every_ms(None)
        .open()
        .unwrap()
}

fn in_sled(dir: &Path) -> HashSet<u64> {
    let found = std::panic::catch_unwind(|| {
        let keys = sled(dir).iter().keys();
        keys.map(|key| u64::from_be_bytes(key.unwrap().as_ref().try_into().unwrap()))
            .collect()
    });
    found.unwrap_or_default()
}

fn in_store(dir: &Path) -> HashSet<u64> {
    let (store, report) = open(dir, &Tpm::default()).unwrap();
    let mut found = HashSet::new();
    for number in 0..report.entries {
        match store.read(number).unwrap().entry {
            Some(Entry::HaltSet { by, .. }) => found.insert(by.parse().unwrap()),
            Some(Entry::WorkflowAdded { by, bundle, .. }) => {
                let number: u64 = by.parse().unwrap();
                let bytes = store
                    .artifact_reader(bundle)
                    .unwrap()
                    .read_all(100)
                    .unwrap();
                assert_eq!(bytes, number.to_be_bytes());
                found.insert(number)
            }
            _ => false,
        };
    }
    assert_eq!(store.verify().unwrap().checkpoint.size, report.entries);
    found
}

fn lost(acknowledged: &[u64], found: &HashSet<u64>) -> usize {
    acknowledged
        .iter()
        .filter(|number| !found.contains(number))
        .count()
}

#[test]
fn sled_loses_what_it_acknowledged() {
    let recording = Recording::of("child_sled");
    assert_eq!(recording.acknowledged(), 500);
    let remains = recording.cut(recording.moments(), Arrived::Nothing);
    let gone = lost(&remains.acknowledged, &in_sled(remains.dir.path()));
    println!("bare sled, power cut after 500 acknowledged flushes: {gone} lost");
    assert!(
        gone >= 400,
        "only {gone}: the harness keeps what nobody promised"
    );
    // It did hand everything to the kernel: with the power on nothing is lost.
    let remains = recording.cut(recording.moments(), Arrived::Everything);
    assert_eq!(lost(&remains.acknowledged, &in_sled(remains.dir.path())), 0);
}

#[test]
fn sled_with_the_sync_that_it_lacks_loses_nothing() {
    let recording = Recording::of("child_sled_with_sync");
    let remains = recording.cut(recording.moments(), Arrived::Nothing);
    assert_eq!(remains.acknowledged.len(), 500);
    let gone = lost(&remains.acknowledged, &in_sled(remains.dir.path()));
    println!("sled with fdatasync, power cut after 500 acknowledged flushes: {gone} lost");
    assert_eq!(gone, 0, "the harness loses what was promised");
}

#[test]
fn the_store_loses_nothing_that_it_acknowledged() {
    let recording = Recording::of("child_store");
    assert_eq!(recording.acknowledged(), 500);
    let mut dice = Dice(SEED);
    let mut judged = 0;
    for cut in 0..CUTS {
        // The end, then moments over the whole run; never before the state exists at all.
        let moment = match cut {
            0..3 => recording.moments(),
            _ => dice.roll(recording.moments()),
        };
        let arrived = match cut % 3 {
            0 => Arrived::Nothing,
            1 => Arrived::Everything,
            _ => Arrived::Some {
                seed: SEED + cut as u64,
            },
        };
        let remains = recording.cut(moment, arrived);
        let gone = lost(&remains.acknowledged, &in_store(remains.dir.path()));
        assert_eq!(
            gone, 0,
            "seed {SEED}, cut {cut} at event {moment}, {arrived:?}"
        );
        judged += remains.acknowledged.len();
        if cut == 0 {
            println!("the store, power cut after 500 acknowledged commits: {gone} lost");
        }
    }
    println!("the store, {CUTS} power cuts, {judged} acknowledged commits looked for: 0 lost");
    assert!(judged > 10_000);
}

#[test]
fn the_beginning_of_a_state_survives_a_cut_at_every_call() {
    let recording = Recording::of("child_store");
    for moment in 0..recording.moments().min(120) {
        for arrived in [
            Arrived::Nothing,
            Arrived::Some {
                seed: SEED + moment as u64,
            },
        ] {
            let remains = recording.cut(moment, arrived);
            let gone = lost(&remains.acknowledged, &in_store(remains.dir.path()));
            assert_eq!(gone, 0, "event {moment}, {arrived:?}");
        }
    }
}
