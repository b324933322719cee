//! Event logs of firmware, crypto-agile and of the old form: no panic, no more memory than the
//! input accounts for, every byte in an event, and no byte authenticated that does not hash to
//! its event's digest.
#![no_main]

use casemate_attest::eventlog::payload::Payload;
use casemate_attest::eventlog::{
    EventLog, Form, Log, NO_REGISTER, Register, all_banks, bank_digest, bank_size,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = EventLog::parse(bytes) else {
        return;
    };
    let mut end = log.spec_id().map_or(0, |header| header.len);
    for event in log.events() {
        assert_eq!(event.offset, end);
        assert!(event.pcr < 24 || (event.pcr == NO_REGISTER && !event.extends()));
        let digests: usize = event
            .digests
            .iter()
            .map(|(_, digest)| 2 + digest.len())
            .sum();
        let len = match log.form() {
            Form::CryptoAgile => 12 + digests + 4 + event.data.len(),
            Form::Sha1 => 28 + 4 + event.data.len(),
        };
        assert_eq!(event.len(), len);
        assert_eq!(event.data_offset() + event.data.len(), event.offset + len);
        end += len;
        check_coverage(event);
        check_payload(&event.payload(), event.data.len());
    }
    assert_eq!(end, bytes.len());
    check_registers(&log.clone(), &all_banks(&Log::Firmware(log)));
});

/// What is called authenticated hashes to the digest, in every bank that is computed.
fn check_coverage(event: &casemate_attest::eventlog::Event<'_>) {
    assert!(event.payload_holds());
    for (bank, digest) in &event.digests {
        assert_eq!(bank_size(*bank), Some(digest.len()));
        if event.coverage() == casemate_attest::eventlog::Coverage::None {
            continue;
        }
        let own = bank_digest(*bank, &[event.covered()]);
        assert!(own.is_none_or(|own| own.as_bytes() == *digest));
    }
    if let Some(range) = event.digested() {
        assert!(range.end <= event.data.len());
    }
}

/// The one line of a payload is bounded by it, and holds nothing that a terminal obeys.
fn check_payload(payload: &Payload<'_>, len: usize) {
    let said = payload.to_string();
    assert!(said.len() <= 400 + 40 * len, "{} of {len}", said.len());
    assert!(!said.contains(char::is_control), "{said:?}");
    if let Payload::Variable(variable) = payload {
        assert!(variable.data_range().end <= len);
        let _ = (variable.content(true), variable.content(false));
    }
}

/// A register for each that is extended, in each bank that every event has.
fn check_registers(log: &EventLog<'_>, registers: &[Register]) {
    for register in registers {
        let mut extending = log.events().iter().filter(|event| event.extends());
        assert!(extending.clone().any(|event| event.pcr == register.pcr));
        assert!(extending.all(|event| event.digest(register.bank).is_some()));
        assert_eq!(
            bank_size(register.bank),
            Some(register.value.as_bytes().len())
        );
    }
}
