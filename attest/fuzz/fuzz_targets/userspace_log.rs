//! systemd's log: no panic, every byte in a record, and no string called measured that does not
//! hash to its record's digests.
#![no_main]

use casemate_attest::eventlog::{Log, UserspaceLog, all_banks, bank_digest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = UserspaceLog::parse(bytes) else {
        return;
    };
    let mut end = 0;
    for event in log.events() {
        assert_eq!(event.offset, end);
        assert_eq!(event.extends(), event.nv_index.is_none());
        end += event.len;
        for (bank, digest) in &event.digests {
            let own = event
                .measured()
                .and_then(|text| bank_digest(*bank, &[text.as_bytes()]));
            assert!(own.is_none_or(|own| own == *digest));
        }
    }
    assert_eq!(end, bytes.len());
    let banks = log.banks().len();
    let registers = all_banks(&Log::Userspace(log));
    assert!(registers.len() <= 24 * banks);
});
