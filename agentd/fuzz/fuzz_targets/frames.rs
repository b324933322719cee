//! A stream of frames from a hostile compartment: a reader never holds more than
//! the border's limit, and after an error it has not read past it.
#![no_main]

use casemate_protocol::compartment::{FromHands, FromScript, FromSession};
use casemate_protocol::frame;
use libfuzzer_sys::fuzz_target;

/// Small, so that the fuzzer reaches it.
const LIMIT: usize = 1 << 10;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(body) = frame::read_bytes(&mut rest, LIMIT) {
        assert!(body.len() <= LIMIT);
    }
    let mut rest = bytes;
    while let Ok(message) = frame::read::<FromScript>(&mut rest, LIMIT) {
        let mut again = Vec::new();
        frame::write(&mut again, &message).unwrap();
        let read = bytes.len() - rest.len();
        assert!(bytes[..read].ends_with(&again));
    }
    let mut rest = bytes;
    while frame::read::<FromHands>(&mut rest, LIMIT).is_ok() {}
    let mut rest = bytes;
    while frame::read::<FromSession>(&mut rest, LIMIT).is_ok() {}
});
