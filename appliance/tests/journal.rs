//! The journal alone: torn tails, edited bytes, lost segments, and what counts as which.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by failing"
)]

mod state_bed;

use std::path::Path;

use casemate_appliance::journal::{Found, Journal, OpenError, SEGMENT_BYTES};
use casemate_appliance::keys::Kek;
use proptest::prelude::*;

fn kek() -> Kek {
    Kek::new(state_bed::KEK)
}

/// Opens what is in `dir`; gives the records, and the journal with the bytes that were cut.
fn reopen(dir: &Path, segment: u64) -> Result<(Vec<Vec<u8>>, Journal, u64), OpenError> {
    let mut records = Vec::new();
    let found = Found::read(dir, &kek(), &mut |record| records.push(record.plain))?;
    let Found::Journal(examined) = found else {
        panic!("no journal")
    };
    assert_eq!(examined.next(), records.len() as u64);
    let (journal, cut) = examined.accept(0, segment)?;
    Ok((records, journal, cut))
}

fn record(number: u64) -> Vec<u8> {
    format!(
        "record {number} {}",
        "x".repeat(usize::try_from(number % 40).unwrap())
    )
    .into_bytes()
}

/// A journal of groups of one, two, three ... records; closed.
fn written(dir: &Path, groups: u64, segment: u64) -> u64 {
    let mut journal = Journal::create(dir, &kek(), segment).unwrap();
    for group in 1..=groups {
        let from = journal.next();
        let records: Vec<_> = (from..from + group).map(record).collect();
        journal.append(&records).unwrap();
    }
    let next = journal.next();
    journal.close().unwrap();
    next
}

fn damaged(result: Result<(Vec<Vec<u8>>, Journal, u64), OpenError>) -> (u64, u64, u64) {
    match result {
        Err(OpenError::Damaged {
            record,
            segment,
            offset,
            ..
        }) => (record, segment, offset),
        Err(other) => panic!("{other}"),
        Ok((records, ..)) => panic!("{} records were taken", records.len()),
    }
}

/// The number of the record that owns each byte of segment 1; `None` in the header.
fn owners(bytes: &[u8]) -> Vec<Option<u64>> {
    let mut owners = vec![None; 156];
    let mut number = 0;
    while owners.len() + 4 <= bytes.len() {
        let length = u32::from_be_bytes(bytes[owners.len()..][..4].try_into().unwrap());
        // Space taken ahead.
        if length == 0 {
            break;
        }
        let frame = 4 + 8 + 8 + 12 + usize::try_from(length).unwrap() + 32;
        owners.resize(owners.len() + frame, Some(number));
        number += 1;
    }
    owners
}

#[test]
fn every_edited_byte_is_named_by_record() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 4, SEGMENT_BYTES);
    let path = dir.path().join("00000001.seg");
    let good = std::fs::read(&path).unwrap();
    for (at, owner) in owners(&good).into_iter().enumerate() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bad).unwrap();
        let (record, segment, offset) = damaged(reopen(dir.path(), SEGMENT_BYTES));
        assert_eq!((record, segment), (owner.unwrap_or(0), 1), "byte {at}");
        assert!(offset <= at as u64, "byte {at}: {offset}");
        assert_eq!(std::fs::read(&path).unwrap(), bad, "nothing is repaired");
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(reopen(dir.path(), SEGMENT_BYTES).unwrap().0.len(), 10);
}

#[test]
fn without_the_head_only_the_last_group_can_be_mistaken_for_a_tail() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 4, SEGMENT_BYTES);
    let path = dir.path().join("00000001.seg");
    let good = std::fs::read(&path).unwrap();
    for (at, owner) in owners(&good).into_iter().enumerate() {
        std::fs::write(dir.path().join("head"), []).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        // Records 6 to 9 are the last group.
        if owner.is_none_or(|record| record < 6) {
            assert_eq!(
                damaged(reopen(dir.path(), SEGMENT_BYTES)).0,
                owner.unwrap_or(0),
                "{at}"
            );
        } else {
            let (records, _, cut) = reopen(dir.path(), SEGMENT_BYTES).unwrap();
            assert!(records.len() < 10 && cut > 0);
        }
    }
}

#[test]
fn every_truncation_is_named() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3, SEGMENT_BYTES);
    let path = dir.path().join("00000001.seg");
    let good = std::fs::read(&path).unwrap();
    let owners = owners(&good);
    for length in 0..good.len() {
        std::fs::write(&path, &good[..length]).unwrap();
        let (record, segment, _) = damaged(reopen(dir.path(), SEGMENT_BYTES));
        assert_eq!(
            (record, segment),
            (owners[length].unwrap_or(0), 1),
            "{length} bytes"
        );
    }
}

#[test]
fn a_torn_tail_is_cut_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &kek(), SEGMENT_BYTES).unwrap();
    journal.append(&[record(0), record(1)]).unwrap();
    // What the disk held when the last group was being written.
    let head = std::fs::read(dir.path().join("head")).unwrap();
    let path = dir.path().join("00000001.seg");
    let before = owners(&std::fs::read(&path).unwrap()).len();
    journal.append(&[record(2), record(3)]).unwrap();
    let mut good = std::fs::read(&path).unwrap();
    assert_eq!(good.len(), 1 << 20, "space is taken ahead");
    good.truncate(owners(&good).len());
    // Nothing is cut where exactly a record arrived, or only the zeros that a length begins with.
    let mut cuts = 0;
    for length in before + 1..good.len() {
        // The rest of the file never arrived, or arrived as zeros.
        for zeros in [0, 100] {
            let mut torn = good[..length].to_vec();
            torn.resize(length + zeros, 0);
            std::fs::write(&path, &torn).unwrap();
            std::fs::write(dir.path().join("head"), &head).unwrap();
            let (records, mut journal, cut) = reopen(dir.path(), SEGMENT_BYTES).unwrap();
            assert!((2..=3).contains(&records.len()));
            cuts += u32::from(cut > 0);
            journal.append(&[record(9)]).unwrap();
            drop(journal);
            let (records, _, cut) = reopen(dir.path(), SEGMENT_BYTES).unwrap();
            assert_eq!((records.last().unwrap(), cut), (&record(9), 0));
        }
    }
    assert!(cuts > 200, "{cuts}");
}

#[test]
fn an_index_or_a_checkpoint_that_knows_more_makes_a_tail_damage() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3, SEGMENT_BYTES);
    let path = dir.path().join("00000001.seg");
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    std::fs::remove_file(dir.path().join("head")).unwrap();
    let found = Found::read(dir.path(), &kek(), &mut |_| {}).unwrap();
    let Found::Journal(examined) = found else {
        panic!()
    };
    let error = examined.accept(6, SEGMENT_BYTES).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::Damaged {
                record: 5,
                segment: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        std::fs::read(&path).unwrap().len(),
        good.len() - 1,
        "nothing is cut"
    );
}

#[test]
fn segments_follow_on_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let next = written(dir.path(), 12, 1000);
    let segments = || {
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|item| item.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
            .collect();
        names.sort();
        names
    };
    let all = segments();
    assert!(all.len() > 4, "{all:?}");
    let (records, ..) = reopen(dir.path(), 1000).unwrap();
    assert_eq!(records, (0..next).map(record).collect::<Vec<_>>());
    // Each segment missing, emptied, or replaced by another.
    for (at, path) in all.iter().enumerate() {
        let good = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        let (_, segment, _) = damaged(reopen(dir.path(), 1000));
        // The last one's absence shows where the journal ends.
        assert!(
            segment == at as u64 + 1 || segment == at as u64,
            "{segment} for {at}"
        );
        std::fs::write(path, []).unwrap();
        assert_eq!(damaged(reopen(dir.path(), 1000)).1, at as u64 + 1);
        let other = std::fs::read(&all[(at + 1) % all.len()]).unwrap();
        std::fs::write(path, other).unwrap();
        damaged(reopen(dir.path(), 1000));
        std::fs::write(path, good).unwrap();
    }
    assert_eq!(segments(), all);
    reopen(dir.path(), 1000).unwrap();
}

#[test]
fn a_segment_of_another_appliance_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(one.path(), 12, 1000);
    written(two.path(), 12, 1000);
    std::fs::copy(
        two.path().join("00000002.seg"),
        one.path().join("00000002.seg"),
    )
    .unwrap();
    let (_, segment, offset) = damaged(reopen(one.path(), 1000));
    assert_eq!((segment, offset), (2, 0));
}

/// What happens to a journal between two looks.
#[derive(Debug, Clone)]
enum Step {
    /// A group of so many records is acknowledged.
    Append(u8),
    /// The power goes while a group is written: so many bytes of it arrive (in 1/256), then zeros
    /// or not, and the head is as it was so many groups ago.
    Crash {
        records: u8,
        arrived: u8,
        zeros: bool,
        head_lags: u8,
    },
    /// A clean stop.
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6u8).prop_map(Step::Append),
        3 => (1..6u8, any::<u8>(), any::<bool>(), 0..4u8).prop_map(
            |(records, arrived, zeros, head_lags)| Step::Crash { records, arrived, zeros, head_lags }
        ),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_is_always_read_back(
        steps in proptest::collection::vec(step(), 1..14),
        segment in prop_oneof![Just(600u64), Just(2000), Just(SEGMENT_BYTES)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let head = dir.path().join("head");
        let mut journal = Journal::create(dir.path(), &kek(), segment).unwrap();
        let mut acknowledged: Vec<Vec<u8>> = Vec::new();
        let mut heads = vec![std::fs::read(&head).unwrap()];
        let mut made = 0;
        let mut group = |count: u8| -> Vec<Vec<u8>> {
            (0..count).map(|_| { made += 1; record(made) }).collect()
        };
        for step in steps {
            match step {
                Step::Append(count) => {
                    let records = group(count);
                    journal.append(&records).unwrap();
                    acknowledged.extend(records);
                    heads.push(std::fs::read(&head).unwrap());
                    continue;
                }
                Step::Close => {
                    journal.close().unwrap();
                    heads = vec![std::fs::read(&head).unwrap()];
                }
                Step::Crash { records, arrived, zeros, head_lags } => {
                    let before = sizes(dir.path());
                    journal.append(&group(records)).unwrap();
                    drop(journal);
                    tear(dir.path(), &before, arrived, zeros);
                    let lag = usize::from(head_lags).min(heads.len() - 1);
                    std::fs::write(&head, &heads[heads.len() - 1 - lag]).unwrap();
                }
            }
            let (records, opened, _) = reopen(dir.path(), segment).unwrap();
            prop_assert!(records.len() >= acknowledged.len());
            prop_assert_eq!(&records[..acknowledged.len()], &acknowledged[..]);
            // An unacknowledged record may be there; from now on it counts.
            acknowledged = records;
            journal = opened;
        }
    }
}

/// Where the records of each segment end.
fn sizes(dir: &Path) -> Vec<(std::path::PathBuf, u64)> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .map(|path| {
            let end = owners(&std::fs::read(&path).unwrap()).len() as u64;
            (path, end)
        })
        .collect()
}

/// Takes back part of what was written since `before`; a new segment keeps its header, which was
/// durable before the group.
fn tear(dir: &Path, before: &[(std::path::PathBuf, u64)], arrived: u8, zeros: bool) {
    for (path, length) in sizes(dir) {
        let old = before
            .iter()
            .find(|(old, _)| *old == path)
            .map_or(156, |(_, length)| *length);
        let kept = old + (length - old) * u64::from(arrived) / 256;
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(usize::try_from(kept).unwrap());
        if zeros {
            bytes.resize(usize::try_from(length).unwrap(), 0);
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

/// Edits of a whole file: bytes replaced, put in, taken out.
#[derive(Debug, Clone)]
enum Edit {
    Replace(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..80);
    prop_oneof![
        (any::<usize>(), bytes()).prop_map(|(at, bytes)| Edit::Replace(at, bytes)),
        (any::<usize>(), bytes()).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (any::<usize>(), 1..300usize).prop_map(|(at, count)| Edit::Remove(at, count)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever is done to the file, what is taken is a beginning of what was written, and with
    /// the head there nothing less than all is taken.
    #[test]
    fn no_edit_makes_a_record_that_was_not_written(
        edits in proptest::collection::vec(edit(), 1..5),
        with_head in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let next = written(dir.path(), 4, SEGMENT_BYTES);
        let path = dir.path().join("00000001.seg");
        let mut bytes = std::fs::read(&path).unwrap();
        let good = bytes.clone();
        for edit in edits {
            let length = bytes.len().max(1);
            match edit {
                Edit::Replace(at, new) => {
                    let at = at % length;
                    let end = (at + new.len()).min(bytes.len());
                    bytes.splice(at.min(end)..end, new);
                }
                Edit::Insert(at, new) => {
                    let at = (at % length).min(bytes.len());
                    bytes.splice(at..at, new);
                }
                Edit::Remove(at, count) => {
                    let at = (at % length).min(bytes.len());
                    let end = (at + count).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        prop_assume!(bytes != good);
        std::fs::write(&path, &bytes).unwrap();
        if !with_head {
            std::fs::write(dir.path().join("head"), []).unwrap();
        }
        match reopen(dir.path(), SEGMENT_BYTES) {
            Ok((records, ..)) => {
                let all: Vec<_> = (0..next).map(record).collect();
                prop_assert_eq!(&records[..], &all[..records.len()]);
                // All are there only if the edit was behind the last; that is a torn tail.
                prop_assert!(!with_head || records.len() == all.len());
            }
            Err(OpenError::Damaged { .. }) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
