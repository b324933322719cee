//! Event logs, made of a genuine one: OVMF's, with Secure Boot, recorded in a virtual machine.

use super::{ACCEPTED, Case, Found};
use crate::eventlog::{EventLog, bank_digest};

const GENUINE: &[u8] = include_bytes!("../../tests/vectors/ovmf-secboot/firmware.log");
/// Where the Spec ID event says how many algorithms there are (PFP, section 10.4.5.1).
const COUNT: usize = 56;
const NO_ACTION: u32 = 3;
const SEPARATOR: u32 = 4;

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
