//! One quote judged alone: attestation, signature, key and claimed values, each behind its length.
#![no_main]

use casemate_attest::messages::Language;
use casemate_attest::quote::claim::ClaimedRegisters;
use casemate_attest::quote::single::{Examination, Inputs};
use casemate_attest::verdict::Decision;
use libfuzzer_sys::fuzz_target;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../src/selftest/vectors/quotes/", $name))
    };
}

fn take<'b>(bytes: &mut &'b [u8]) -> &'b [u8] {
    let Some((size, rest)) = bytes.split_first_chunk::<2>() else {
        return &[];
    };
    let size = usize::from(u16::from_be_bytes(*size)).min(rest.len());
    let (taken, rest) = rest.split_at(size);
    *bytes = rest;
    taken
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(claimed) = ClaimedRegisters::from_json(bytes) {
        let _ = claimed.words();
    }
    let mut rest = bytes;
    let (attest, signature, key) = (take(&mut rest), take(&mut rest), take(&mut rest));
    let inputs = Inputs {
        attest,
        signature,
        key,
        nonce: Some(&[0]),
        registers: Some(rest),
    };
    for registers in [Some(rest), None] {
        if let Ok(found) = Examination::of(&Inputs { registers, ..inputs }) {
            let text = found.text_in(Language::French);
            assert!(text.lines().all(|line| line.chars().count() <= 80));
            let _ = found.json_in(Language::English);
        }
    }
    // By the genuine key nothing is accepted but what its TPM signed.
    let by_genuine = Inputs {
        key: vector!("ak"),
        nonce: None,
        registers: None,
        ..inputs
    };
    if let Ok(found) = Examination::of(&by_genuine) {
        let signed: [&[u8]; 3] = [
            vector!("genuine.attest"),
            vector!("two-banks.attest"),
            vector!("empty-bank.attest"),
        ];
        let accepted = found.decision() == Decision::Pass;
        assert!(!accepted || signed.contains(&attest));
    }
});
