//! Evidence, challenge, enrolment and leaf: whatever is read is written back the same.
#![no_main]

use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::enrolment::EnrolmentRequest;
use casemate_attest::evidence::Evidence;
use casemate_attest::leaf::Leaf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(evidence) = Evidence::from_bytes(bytes) {
        assert_eq!(evidence.to_bytes(), bytes);
        let _ = evidence.id();
    }
    if let Ok(challenge) = Challenge::from_bytes(bytes) {
        assert_eq!(challenge.to_bytes(), bytes);
    }
    if let Ok(secret) = ChallengeSecret::from_bytes(bytes) {
        assert_eq!(secret.to_bytes(), bytes);
    }
    if let Ok(request) = EnrolmentRequest::from_bytes(bytes) {
        assert_eq!(request.to_bytes(), bytes);
        let _ = request.check_keys();
    }
    if let Ok(leaf) = Leaf::from_bytes(bytes) {
        assert_eq!(leaf.to_bytes(), bytes);
    }
});
