//! TPM structures: attestations, public areas, signatures.
#![no_main]

use casemate_attest::tpm::attest::{CertifyInfo, QuoteInfo};
use casemate_attest::tpm::public::Public;
use casemate_attest::tpm::signature::{RawSignature, normalised};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = QuoteInfo::from_bytes(bytes);
    let _ = CertifyInfo::from_bytes(bytes);
    let public = Public::from_sized(bytes);
    let _ = Public::from_area(bytes);
    let once = normalised(bytes);
    assert_eq!(normalised(&once), once);
    if let Ok(signature) = RawSignature::from_bytes(&once) {
        if let Ok(public) = public {
            let _ = signature.verify(&public, b"message");
        }
    }
});
