//! What a log leads to: every register that it extends, in every bank.

use super::bank::{BankDigest, bank_digest};
use super::log::Log;
use super::parse::MAX_PCR;

/// A register after a log's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// The register.
    pub pcr: u8,
    /// The bank, a `TPM_ALG_ID`.
    pub bank: u16,
    /// The value.
    pub value: BankDigest,
}

/// Replays a log over every bank that it has and that this program computes: the registers that
/// it extends, bank by bank. A claim of the log; nothing but a quote says that it was so.
#[must_use]
pub fn all_banks(log: &Log<'_>) -> Vec<Register> {
    let banks = log.banks().iter();
    banks
        .flat_map(|(bank, size)| replay(log, *bank, *size))
        .collect()
}

/// The banks of a log that this program does not compute.
#[must_use]
pub fn not_replayed(log: &Log<'_>) -> Vec<u16> {
    let banks = log.banks().iter().map(|(bank, _)| *bank);
    banks
        .filter(|bank| bank_digest(*bank, &[]).is_none())
        .collect()
}

fn replay(log: &Log<'_>, bank: u16, size: usize) -> Vec<Register> {
    let mut values: Vec<Option<BankDigest>> = vec![None; usize::from(REGISTERS)];
    for (pcr, digest) in log.extends(bank) {
        let Some(slot) = values.get_mut(usize::from(pcr)) else {
            continue;
        };
        let before = slot.unwrap_or_else(|| first_value(pcr, size, log.startup_locality()));
        *slot = bank_digest(bank, &[before.as_bytes(), digest]);
    }
    let numbered = (0_u8..).zip(values);
    let extended = numbered.filter_map(|(pcr, value)| {
        Some(Register {
            pcr,
            bank,
            value: value?,
        })
    });
    extended.collect()
}

const REGISTERS: u16 = 24;
const _: () = assert!(REGISTERS as u32 == MAX_PCR + 1);

/// A register's value before the first event (PC Client PTP, section 4.6.2): zeros but for the
/// locality in PCR 0, and ones in those of a late launch.
pub(super) fn first_value(pcr: u8, size: usize, locality: Option<u8>) -> BankDigest {
    match pcr {
        0 => BankDigest::filled(size, 0, locality.unwrap_or(0)),
        17..=22 => BankDigest::filled(size, 0xff, 0xff),
        _ => BankDigest::filled(size, 0, 0),
    }
}
