//! Records of the kernel's audit stream: a name in one is a hostile program's choice.
//! The first two bytes are the record's type. What is understood says the same when
//! its names are written as the kernel writes them.
#![no_main]

#[path = "../../src/denial/record.rs"]
#[allow(dead_code, reason = "only the reading is fuzzed")]
mod record;

use libfuzzer_sys::fuzz_target;
use record::{Body, LONGEST, Object, Record};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, text)) = bytes.split_at_checked(2) else {
        return;
    };
    let kind = u16::from_le_bytes([kind[0], kind[1]]);
    let Ok(record) = Record::parse(kind, text) else {
        return;
    };
    assert!(text.len() <= LONGEST);
    let Body::Refused {
        domain,
        blockers,
        object: Object::Path(path),
    } = record.body
    else {
        return;
    };
    // Nothing at all is not written in hexadecimal.
    if path.is_empty() {
        return;
    }
    let again = format!(
        "audit(1.000:{}): domain={domain:x} blockers={} path={} dev=\"x\" ino=1",
        record.serial,
        blockers.join(","),
        hex::encode(&path),
    );
    let again = Record::parse(kind, again.as_bytes()).unwrap();
    assert_eq!(again.serial, record.serial);
    assert!(matches!(again.body, Body::Refused { object: Object::Path(same), .. } if same == path));
});
