//! Event logs: no panic, no more memory than the input accounts for, every byte in an event.
#![no_main]

use casemate_attest::eventlog::EventLog;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = EventLog::parse(bytes) else { return };
    let mut end = log.events().first().map_or(bytes.len(), |event| event.offset);
    for event in log.events() {
        assert_eq!(event.offset, end);
        assert!(event.pcr < 24 && event.payload_holds());
        let digests: usize = event.digests.iter().map(|(_, digest)| 2 + digest.len()).sum();
        end += 12 + digests + 4 + event.data.len();
    }
    assert_eq!(end, bytes.len());
});
