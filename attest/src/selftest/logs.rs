//! Event logs, made of a genuine one: OVMF's, with Secure Boot, recorded in a virtual machine.

use super::{ACCEPTED, Case, Found};
use crate::appraisal::{Measured, violations};
use crate::eventlog::{EventLog, bank_digest};
use crate::release::BootRules;

const GENUINE: &[u8] = include_bytes!("../../tests/vectors/ovmf-secboot/firmware.log");
/// Where the Spec ID event says how many algorithms there are (PFP, section 10.4.5.1).
const COUNT: usize = 56;
const NO_ACTION: u32 = 3;
const SEPARATOR: u32 = 4;
const POST_CODE: u32 = 1;
const VARIABLE: u32 = 0x8000_0001;
const ACTION: u32 = 0x8000_0007;
/// A type that no specification has.
const STRANGER: u32 = 0x8000_0fff;

fn judge(log: &[u8]) -> Found {
    EventLog::parse(log).map_or_else(|error| error.code().id, |_| ACCEPTED)
}

/// The genuine log's first record, which names the banks.
fn header() -> &'static [u8] {
    let size = GENUINE.get(28..32).unwrap_or_default();
    let size = size.iter().rev().fold(0_usize, |size, byte| {
        size.saturating_mul(256).saturating_add(usize::from(*byte))
    });
    GENUINE.get(..size.saturating_add(32)).unwrap_or_default()
}

/// An event with a digest in each of the genuine log's banks: of `measured`, or zeros.
fn event(pcr: u32, kind: u32, measured: Option<&[u8]>, data: &[u8], size: u32) -> Vec<u8> {
    let banks = EventLog::parse(GENUINE).map(|log| log.banks().to_vec());
    let banks = banks.unwrap_or_default();
    let count = u32::try_from(banks.len()).unwrap_or_default();
    let mut bytes = [pcr.to_le_bytes(), kind.to_le_bytes(), count.to_le_bytes()].concat();
    for (bank, len) in banks {
        bytes.extend(bank.to_le_bytes());
        let digest = measured.and_then(|measured| bank_digest(bank, &[measured]));
        match digest {
            Some(digest) => bytes.extend(digest.as_bytes()),
            None => bytes.extend(vec![0; len]),
        }
    }
    bytes.extend(size.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn with_count(count: u32) -> Found {
    let (before, after) = (GENUINE.get(..COUNT), GENUINE.get(COUNT.saturating_add(4)..));
    let count = count.to_le_bytes();
    judge(
        &[
            before.unwrap_or_default(),
            &count,
            after.unwrap_or_default(),
        ]
        .concat(),
    )
}

fn of_size(size: u32) -> Found {
    let event = event(0, SEPARATOR, Some(&[0; 4]), &[0; 4], size);
    judge(&[header(), &event].concat())
}

fn locality(value: u8, before: &[u8], times: usize) -> Found {
    let data = [&b"StartupLocality\0"[..], &[value]].concat();
    let one = event(0, NO_ACTION, None, &data, 17).repeat(times);
    judge(&[before, &one].concat())
}

macro_rules! cases {
    ($($name:literal => $expected:expr, $judge:expr;)*) => {
        pub(super) const CASES: &[Case] = &[$(Case {
            area: "event log",
            name: $name,
            expected: $expected,
            judge: $judge,
        }),*];
    };
}

cases! {
    "genuine, of OVMF with Secure Boot" => ACCEPTED, || judge(GENUINE);
    "genuine, with a startup locality" => ACCEPTED, || locality(3, header(), 1);
    "no algorithm" => "log.malformed", || with_count(0);
    "four thousand million algorithms" => "log.malformed", || with_count(u32::MAX);
    "an unknown algorithm" => "log.malformed", unknown_algorithm;
    "an event of 3 GB" => "log.malformed", || of_size(3_000_000_000);
    "an event size that wraps" => "log.malformed", || of_size(u32::MAX);
    "cut in its last event" => "log.malformed", cut;
    "nothing" => "log.malformed", || judge(&[]);
    "a startup locality after an extend" => "log.locality", || locality(3, GENUINE, 1);
    "a startup locality twice" => "log.locality", || locality(3, header(), 2);
    "a startup locality of 1" => "log.locality", || locality(1, header(), 1);
    "a payload that was not digested" => "log.payload", edited;
    "a boot as it must be" => ACCEPTED, || boot(GENUINE, ACCEPTED);
    "a boot in a debug mode" => "secure-boot.debug",
        || boot(&first(7, ACTION, b"UEFI Debug Mode"), "secure-boot.debug");
    "a boot without the separator of register 2" => "separator.missing",
        || boot(&without(2, SEPARATOR), "separator.missing");
    "a boot with a second separator" => "separator.twice",
        || boot(&last(0, SEPARATOR, &[0; 4]), "separator.twice");
    "firmware that measures again after its separator" => "separator.after",
        || boot(&last(0, POST_CODE, b"late"), "separator.after");
    "an unknown event in a register of the image" => "register.kind",
        || boot(&last(11, STRANGER, b"stranger"), "register.kind");
    "a boot without the variable SecureBoot" => "secure-boot.missing",
        || boot(&without(7, VARIABLE), "secure-boot.missing");
    "a boot that never left the firmware" => "exit.missing",
        || boot(&without(5, ACTION), "exit.missing");
    "a register that no TPM has" => "log.malformed",
        || judge(&[header(), &event(24, SEPARATOR, Some(&[0; 4]), &[0; 4], 4)].concat());
}

fn unknown_algorithm() -> Found {
    let (before, after) = (
        GENUINE.get(..COUNT.saturating_add(4)),
        GENUINE.get(COUNT.saturating_add(6)..),
    );
    judge(
        &[
            before.unwrap_or_default(),
            &[0x77, 0x77],
            after.unwrap_or_default(),
        ]
        .concat(),
    )
}

fn cut() -> Found {
    let kept = GENUINE.len().saturating_sub(1);
    judge(GENUINE.get(..kept).unwrap_or_default())
}

fn edited() -> Found {
    let event = event(7, SEPARATOR, Some(&[0; 4]), &[0, 0, 0, 1], 4);
    judge(&[header(), &event].concat())
}

/// What a boot with this log comes to: of several codes `wanted` when it is one of them.
fn boot(log: &[u8], wanted: &'static str) -> Found {
    const RULES: BootRules = BootRules {
        exit_boot_services: true,
        failed_attempts: 0,
    };
    let log = match EventLog::parse(log) {
        Ok(log) => log,
        Err(error) => return error.code().id,
    };
    let events = (1..).zip(log.events());
    let events = events.filter(|(_, event)| event.extends());
    let measured = events.filter_map(|(number, event)| {
        Some(Measured {
            log: "firmware",
            number,
            pcr: event.pcr,
            event_type: event.event_type,
            digest: event.sha256()?,
            data: event.data,
            words: None,
        })
    });
    let found = violations(RULES, &measured.collect::<Vec<_>>());
    let mut codes = found.iter().map(|violation| violation.code().id);
    match codes.clone().find(|code| *code == wanted) {
        Some(code) => code,
        None => codes.next().unwrap_or(ACCEPTED),
    }
}

fn measured(pcr: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap_or_default();
    event(pcr, kind, Some(data), data, size)
}

/// The genuine boot with one more event, before all others.
fn first(pcr: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let rest = GENUINE.get(header().len()..).unwrap_or_default();
    [header(), &measured(pcr, kind, data), rest].concat()
}

/// The genuine boot with one more event, behind all others.
fn last(pcr: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    [GENUINE, &measured(pcr, kind, data)].concat()
}

/// The genuine boot without the events of one type in one register.
fn without(pcr: u8, kind: u32) -> Vec<u8> {
    let log = EventLog::parse(GENUINE);
    let events = log.iter().flat_map(EventLog::events);
    let places: Vec<(usize, bool)> = events
        .map(|event| (event.offset, (event.pcr, event.event_type) == (pcr, kind)))
        .collect();
    let ends = places.iter().skip(1).map(|(offset, _)| *offset);
    let ends = ends.chain([GENUINE.len()]);
    let kept = places
        .iter()
        .zip(ends)
        .filter(|((_, left_out), _)| !left_out);
    let kept = kept.filter_map(|((from, _), end)| GENUINE.get(*from..end));
    [header()]
        .into_iter()
        .chain(kept)
        .collect::<Vec<_>>()
        .concat()
}
