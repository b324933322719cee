//! Checkpoints: what holds has one spelling.
#![no_main]

use casemate_attest::checkpoint::Checkpoint;
use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = SigningKey::from_bytes(&[5; 32]);
    if let Ok(checkpoint) = Checkpoint::verify(bytes, &key.verifying_key(), None) {
        assert_eq!(checkpoint.sign(&key).as_bytes(), bytes);
    }
});
