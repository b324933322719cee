//! The auditor's ledger: what is read can be gone on from, and nothing of it makes a comparison
//! panic. A second time with the chain put right, which no change of a byte would get past.
#![no_main]

use casemate_attest::digest::Digest;
use casemate_attest::ledger::{Entry, HEADER, Ledger, Line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    go_on(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        go_on(chained(text).as_bytes());
    }
});

fn go_on(bytes: &[u8]) {
    let Ok(mut ledger) = Ledger::read(bytes) else {
        return;
    };
    let leaves = [Digest::ZERO, Digest::of(b"leaf")];
    for (_, line) in ledger.lines() {
        if let Line::Judged(entry) = line {
            assert!(!ledger.checks(entry, Some(&leaves)).is_empty());
        }
    }
    let more = ledger.append(Entry::unjudged(b"x", 0, None, "format.malformed"));
    let read = Ledger::read(&[bytes, &more].concat()).expect("a ledger that was gone on from");
    assert_eq!(read.lines(), ledger.lines());
    assert_eq!(read.head(), ledger.head());
    assert!(!read.is_torn());
}

/// The same records, each continuing the one before.
fn chained(text: &str) -> String {
    let mut out = HEADER.to_owned();
    let mut head = Digest::of(HEADER.as_bytes());
    for line in text.lines().skip(1) {
        let body = line.rsplit_once(",\"chain\"").map_or(line, |(body, _)| body);
        head = Digest::of_parts(&[head.as_bytes(), body.as_bytes()]);
        out.push_str(&format!("{body},\"chain\":\"{head}\"}}\n"));
    }
    out
}
