//! Every byte of a log changed: it is malformed, or it leads to other registers, or the byte is
//! one that the output of `attest log --json` marks as unauthenticated.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod logs;

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use casemate_attest::eventlog::{Log, Register, UserspaceLog, all_banks};
use serde_json::Value;

const CHANGES: [u8; 5] = [0x01, 0x02, 0x20, 0x41, 0xff];

fn json(name: &str, log: &[u8]) -> Value {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
    let output = command.args(["log", "--json"]).arg(&file).output().unwrap();
    fs::remove_file(&file).unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The bytes that the output marks as unauthenticated, of a log of firmware.
fn unauthenticated(json: &Value) -> Vec<Range<usize>> {
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let mut ranges = Vec::new();
    if let Some(header) = json["log"]["header"].as_object() {
        ranges.push(0..number(&header["length"]));
    }
    for event in json["events"].as_array().unwrap() {
        let (offset, payload) = (number(&event["offset"]), number(&event["payload_offset"]));
        assert!(event["unauthenticated"]["type"].is_string());
        ranges.push(offset + 4..offset + 8);
        for part in event["unauthenticated"]["payload"].as_array().unwrap() {
            ranges.push(payload + number(&part["from"])..payload + number(&part["to"]));
        }
        if event["unauthenticated"]["digests"].is_object() {
            ranges.push(offset..payload - 4);
        }
    }
    ranges
}

fn registers(log: &[u8]) -> Option<Vec<Register>> {
    Log::parse(log).ok().map(|log| all_banks(&log))
}

/// Of each byte changed, how many were malformed, led elsewhere, were unauthenticated.
fn change_every_byte(name: &str, log: &[u8]) -> [usize; 3] {
    let (genuine, marked) = (registers(log), unauthenticated(&json(name, log)));
    let mut counts = [0; 3];
    let mut changed = log.to_vec();
    for at in 0..log.len() {
        for change in CHANGES {
            changed[at] ^= change;
            let found = registers(&changed);
            changed[at] ^= change;
            let outcome = match found {
                None => 0,
                found if found != genuine => 1,
                _ => 2,
            };
            counts[outcome] += 1;
            let known = outcome < 2 || marked.iter().any(|range| range.contains(&at));
            assert!(
                known,
                "{name}: byte {at} changed by {change:#04x} passes for authenticated"
            );
        }
    }
    counts
}

#[test]
fn every_byte_of_a_genuine_log() {
    let log = logs::genuine();
    let counts = change_every_byte("bytes-genuine.log", &log);
    assert_eq!(counts.iter().sum::<usize>(), log.len() * CHANGES.len());
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn every_byte_of_a_log_of_the_old_form() {
    let counts = change_every_byte("bytes-old.log", &logs::old_form());
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// Of systemd's log the authenticated parts are values, not bytes: they stay as they are, or the
/// log is malformed or leads elsewhere.
#[test]
fn every_byte_of_a_log_of_systemd() {
    let log = logs::systemd_log();
    let genuine = UserspaceLog::parse(&log).unwrap();
    let leads = registers(&log);
    let mut changed = log.clone();
    for at in 0..log.len() {
        for change in (0..8).map(|bit| 1 << bit).chain([0xff, 0x41]) {
            changed[at] ^= change;
            if let Ok(other) = UserspaceLog::parse(&changed)
                && registers(&changed) == leads
            {
                let pairs = genuine.events().iter().zip(other.events());
                for (own, other) in pairs {
                    let same = own.pcr == other.pcr && own.digests == other.digests;
                    assert!(same, "byte {at}");
                    let kept = other
                        .measured()
                        .is_none_or(|text| own.measured() == Some(text));
                    assert!(kept, "byte {at}: {other:?}");
                }
                assert_eq!(genuine.events().len(), other.events().len());
            }
            changed[at] ^= change;
        }
    }
}
