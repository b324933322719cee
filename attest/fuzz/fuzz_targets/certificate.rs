//! Endorsement certificates: as the TPM's own, as an authority's, as a file of authorities.
#![no_main]

use casemate_attest::tpm::public::Public;
use casemate_attest::x509::{Authorities, Certificate, Chain, Policy};
use libfuzzer_sys::fuzz_target;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../src/selftest/vectors/certificates/", $name))
    };
}

const POLICY: Policy = Policy {
    at_ms: 1_800_000_000_000,
};
/// Certificates by the test's root for this key.
const GENUINE: [&[u8]; 2] = [vector!("test-good.der"), vector!("test-expired.der")];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::read(bytes) {
        let _ = (certificate.subject(), certificate.issuer(), certificate.key());
    }
    let key = Public::from_sized(vector!("swtpm-p256.public")).unwrap();
    let mut authorities = Authorities::default();
    authorities.add_roots(vector!("test-root.der")).unwrap();
    authorities.add_intermediates(vector!("test-inter.der")).unwrap();
    if Chain::verify(bytes, &authorities, &key, POLICY).is_ok() {
        // Nothing but what was issued, and padding, is accepted.
        assert!(GENUINE.iter().any(|genuine| bytes.starts_with(genuine)));
    }
    let mut forged = Authorities::default();
    forged.add_roots(vector!("test-root.der")).unwrap();
    if forged.add_intermediates(bytes).is_ok() {
        let found = Chain::verify(GENUINE[0], &forged, &key, POLICY);
        let has_issuer = || Authorities::default().add_roots(bytes).is_ok();
        assert!(found.is_err() || has_issuer());
    }
});
