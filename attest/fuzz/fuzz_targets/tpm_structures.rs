//! TPM structures: attestations, public areas, signatures, bare keys.
#![no_main]

use casemate_attest::tpm::attest::{CertifyInfo, QuoteInfo};
use casemate_attest::tpm::public::{Key, Public};
use casemate_attest::tpm::signature::{RawSignature, normalised};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = QuoteInfo::from_bytes(bytes);
    let _ = CertifyInfo::from_bytes(bytes);
    let public = Public::from_sized(bytes);
    let area = Public::from_area(bytes);
    // A file is one of the two structures, never both.
    assert!(public.is_err() || area.is_err());
    assert_eq!(Public::from_either(bytes).is_ok(), public.is_ok() || area.is_ok());
    let bare = std::str::from_utf8(bytes).map(Key::from_pem);
    let once = normalised(bytes);
    assert_eq!(normalised(&once), once);
    if let Ok(signature) = RawSignature::from_bytes(&once) {
        if let Ok(public) = public.or(area) {
            let _ = signature.verify(&public, b"message");
        }
        if let Ok(Ok(key)) = bare {
            let _ = signature.verify_bare(&key, &[0; 32]);
        }
    }
});
