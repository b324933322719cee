//! systemd's log: what is malformed, what is digested, and what leads to the registers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod logs;

use casemate_attest::eventlog::{Coverage, Log, LogError, UserspaceLog, all_banks};
use logs::{SHA1, SHA256, record, systemd_log};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn code(log: &[u8]) -> &'static str {
    UserspaceLog::parse(log).map_or_else(|error| error.code().id, |_| "parsed")
}

/// The log's record, with something in it replaced.
fn with(from: &str, to: &str) -> Vec<u8> {
    let log = String::from_utf8(record(11, "phase", "ready", b"ready")).unwrap();
    assert!(log.contains(from), "{from}");
    log.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_boot_is_read_and_replayed() {
    let log = systemd_log();
    let parsed = UserspaceLog::parse(&log).unwrap();
    assert_eq!(parsed.banks(), [(SHA1, 20), (SHA256, 32)]);
    let phases = parsed.events().iter().filter(|event| event.pcr == 11);
    let phases: Vec<_> = phases.map(|event| event.measured().unwrap()).collect();
    assert_eq!(phases, ["enter-initrd", "leave-initrd", "sysinit", "ready"]);
    let mut value = [0; 32];
    for phase in phases {
        let digest = Sha256::digest(phase);
        value = Sha256::digest([&value[..], &digest[..]].concat()).into();
    }
    let Ok(log) = Log::parse(&log) else { panic!() };
    let found = all_banks(&log);
    let eleven = found
        .iter()
        .find(|own| (own.pcr, own.bank) == (11, SHA256))
        .unwrap();
    assert_eq!(eleven.value.as_bytes(), value);
}

#[test]
fn a_phase_that_is_not_the_one_digested() {
    let lie = record(11, "phase", "ready", b"emergency");
    assert!(matches!(
        UserspaceLog::parse(&lie),
        Err(LogError::Text {
            record: 1,
            offset: 0
        })
    ));
    assert_eq!(code(&lie), "log.payload");
}

#[test]
fn words_that_systemd_shortens_or_escapes_are_not_authenticated() {
    for shown in ["file-system:\\\\x2f", "file-system:long..."] {
        let log = record(15, "filesystem", shown, b"what was measured");
        let log = UserspaceLog::parse(&log).unwrap();
        assert_eq!(log.events()[0].coverage, Coverage::None);
        assert_eq!(log.events()[0].measured(), None);
    }
    // A volume's key is digested with the key.
    let log = record(15, "volume-key", "cryptsetup:root", b"keyed");
    assert_eq!(
        UserspaceLog::parse(&log).unwrap().events()[0].measured(),
        None
    );
}

#[test]
fn records_of_a_hostile_form() {
    for (from, to) in [
        ("\"pcr\":11", "\"pcr\":24"),
        ("\"pcr\":11", "\"pcr\":4294967307"),
        ("\"pcr\":11", "\"pcr\":-1"),
        ("\"pcr\":11", "\"pcr\":\"11\""),
        ("\"pcr\":11", "\"pcr\":11,\"pcr\":12"),
        ("\"pcr\":11", "\"pcr\":11,\"nv_index\":1"),
        ("\"pcr\":11,", ""),
        ("\"pcr\":11", "\"pcr\":11,\"other\":1"),
        ("\"hashAlg\":\"sha256\"", "\"hashAlg\":\"sha257\""),
        ("\"hashAlg\":\"sha256\"", "\"hashAlg\":\"sha1\""),
        ("\"hashAlg\":\"sha1\"", "\"hashAlg\":\"sha512\""),
        ("\"digests\":[", "\"digests\":[1,"),
        ("\"digest\":\"", "\"digest\":\"0"),
        ("\"digest\":\"b", "\"digest\":\"B"),
        ("systemd", "systeme"),
        ("\"string\"", "\"strong\""),
        (
            "\"string\":\"ready\"",
            "\"string\":\"ready\",\"string\":\"ready\"",
        ),
        ("\"timestamp\":1834912", "\"timestamp\":1e9"),
        ("\n", ""),
        ("\x1e", "\x1e\x1e"),
        ("\n", "\n\n"),
        ("\n", "\n "),
        ("}\n", "}}\n"),
    ] {
        let hostile = with(from, to);
        if hostile == with(from, from) {
            continue;
        }
        assert_eq!(code(&hostile), "log.malformed", "{from} as {to}");
    }
    assert_eq!(code(b""), "log.malformed");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = [&b"\x1e"[..], &b"[".repeat(60_000), b"\n"].concat();
    assert_eq!(code(&deep), "log.malformed");
    let deep = with(
        "\"content\":{",
        &format!("\"content\":{{\"string\":{}", "[".repeat(50_000)),
    );
    assert_eq!(code(&deep), "log.malformed");
    let long = record(11, "filesystem", &"x".repeat(70_000), b"");
    assert_eq!(code(&long), "log.malformed");
    let mut digests = String::new();
    for _ in 0..9 {
        digests.push_str("{\"hashAlg\":\"sha1\",\"digest\":\"\"},");
    }
    let many = with("\"digests\":[", &format!("\"digests\":[{digests}"));
    assert_eq!(code(&many), "log.malformed");
}

/// A measurement into an NV index extends no register.
#[test]
fn a_measurement_into_an_nv_index() {
    let log = with("\"pcr\":11", "\"nv_index\":31196672");
    let parsed = UserspaceLog::parse(&log).unwrap();
    assert!(!parsed.events()[0].extends());
    assert_eq!(parsed.banks(), []);
    let Ok(log) = Log::parse(&log) else { panic!() };
    assert_eq!(all_banks(&log), []);
}

#[test]
fn an_error_names_record_and_byte() {
    let first = record(11, "phase", "sysinit", b"sysinit");
    let log = [&first[..], &with("\"timestamp\"", "\"timestomp\"")].concat();
    let Err(error) = UserspaceLog::parse(&log) else {
        panic!("taken");
    };
    let at = error.offset().unwrap();
    let before = &log[first.len()..at];
    assert!(before.ends_with(b"\"timestomp"), "{error}");
    assert!(matches!(error, LogError::Record { record: 2, .. }));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = UserspaceLog::parse(&bytes);
        let _ = UserspaceLog::parse(&[&[0x1e][..], &bytes, b"\n"].concat());
    }

    #[test]
    fn a_damaged_log_is_parsed_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)
    ) {
        let mut log = systemd_log();
        for (at, byte) in changes {
            let at = at.index(log.len());
            log[at] = byte;
        }
        if let Ok(log) = Log::parse(&log) {
            let _ = all_banks(&log);
        }
    }
}

#[test]
#[ignore = "writes the fuzz targets' seeds"]
fn write_fuzz_seeds() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let seeds = [
        ("userspace_log", "boot", systemd_log()),
        ("event_log", "ovmf-secboot", logs::genuine()),
        ("event_log", "old-form", logs::old_form()),
    ];
    for (target, name, bytes) in seeds {
        std::fs::create_dir_all(corpus.join(target)).unwrap();
        std::fs::write(corpus.join(target).join(name), bytes).unwrap();
    }
}
