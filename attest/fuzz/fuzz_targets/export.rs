//! Audit exports: what holds has as many entries as its checkpoint says.
#![no_main]

use casemate_attest::export::VerifiedExport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(export) = VerifiedExport::read(bytes, None) {
        assert_eq!(export.checkpoint.size, export.leaves.len() as u64);
    }
});
