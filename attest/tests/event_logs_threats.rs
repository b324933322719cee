//! Every row of the threat list that is about event logs, as a log that attacks. Rows whose
//! judgement is the appraisal's have here the facts that it judges by.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod logs;

use std::fs;
use std::path::Path;

use casemate_attest::eventlog::payload::{Content, Payload, Separator};
use casemate_attest::eventlog::{Coverage, Event, EventLog, Guid, Log, LogError, all_banks};
use logs::{
    ACTION, APPLICATION, AUTHORITY, BOOT, DRIVER_CONFIG, EFI_ACTION, GLOBAL, HCRTM, IPL, SECURITY,
    SEPARATOR, SHA1, SHA256, TAG, VERSION, agile, event, genuine, header, measured, no_action,
    of_events, old_event, variable,
};

fn code(log: &[u8]) -> &'static str {
    EventLog::parse(log).map_or_else(|error| error.code().id, |_| "parsed")
}

/// The registers that a log leads to, in hexadecimal.
fn registers(log: &[u8]) -> Vec<(u8, u16, String)> {
    let log = Log::parse(log).unwrap();
    let registers = all_banks(&log).into_iter();
    let shown = |value: &[u8]| hex::encode(value);
    registers
        .map(|own| (own.pcr, own.bank, shown(own.value.as_bytes())))
        .collect()
}

fn only(log: &[u8], check: impl Fn(&Event<'_>)) {
    let log = EventLog::parse(log).unwrap();
    check(&log.events()[0]);
}

#[test]
fn a_retyped_event() {
    // The type is under no digest: the registers stay, and what was covered no longer is. The
    // other way round, bytes that were not digested never pass for digested.
    let action = b"Exit Boot Services Invocation".to_vec();
    let honest = agile(&[(5, EFI_ACTION, action.clone())]);
    let retyped = agile(&[(5, APPLICATION, action)]);
    assert_eq!(registers(&honest), registers(&retyped));
    only(&honest, |event| {
        assert_eq!(event.coverage(), Coverage::Whole)
    });
    only(&retyped, |event| {
        assert_eq!(event.coverage(), Coverage::None);
        assert!(matches!(event.payload(), Payload::Malformed(_)));
    });
    let hidden = of_events(&[measured(4, APPLICATION, b"image", b"anything")]);
    assert_eq!(code(&hidden), "parsed");
    for claimed in [
        SEPARATOR,
        ACTION,
        EFI_ACTION,
        DRIVER_CONFIG,
        AUTHORITY,
        BOOT,
    ] {
        let retyped = of_events(&[measured(4, claimed, b"image", b"anything")]);
        assert_eq!(code(&retyped), "log.payload", "as {claimed:#x}");
    }
}

#[test]
fn a_payload_edited_under_its_digest() {
    let on = variable(GLOBAL, "SecureBoot", &[1]);
    let off = variable(GLOBAL, "SecureBoot", &[0]);
    let edited = of_events(&[measured(7, DRIVER_CONFIG, &off, &on)]);
    let Err(LogError::Payload { event, offset, .. }) = EventLog::parse(&edited) else {
        panic!("an edited payload was taken");
    };
    assert_eq!((event, offset), (1, edited.len() - on.len()));
}

/// One bank's digest may be right and another's not: every bank must agree.
#[test]
fn a_payload_digested_in_one_bank_alone() {
    use sha1::{Digest as _, Sha1};
    let payload = variable(GLOBAL, "SecureBoot", &[1]);
    let log = |sha1: &[u8], sha256: &[u8]| {
        let digests: [(u16, &[u8]); 2] = [
            (SHA1, &Sha1::digest(sha1)),
            (SHA256, &sha2::Sha256::digest(sha256)),
        ];
        let event = event(7, DRIVER_CONFIG, &digests, &payload);
        [header(&[(SHA1, 20), (SHA256, 32)]), event].concat()
    };
    assert_eq!(code(&log(&payload, &payload)), "parsed");
    assert_eq!(code(&log(&payload, b"other")), "log.payload");
    assert_eq!(code(&log(b"other", &payload)), "log.payload");
}

/// A variable's value may be measured without its name, and then the name is only said.
#[test]
fn a_variable_renamed_over_its_measured_value() {
    let payload = variable(GLOBAL, "BootOrder", &[1, 0]);
    let log = of_events(&[measured(1, BOOT, &[1, 0], &payload)]);
    only(&log, |event| {
        assert_eq!(event.covered(), [1, 0]);
        assert_eq!(event.data.len() - 2, event.coverage().range(0).start);
    });
    // Where the name decides it must be covered: Secure Boot's state, and who authorised what.
    for (kind, vendor, name) in [
        (DRIVER_CONFIG, GLOBAL, "SecureBoot"),
        (AUTHORITY, SECURITY, "db"),
    ] {
        let log = of_events(&[measured(7, kind, &[1], &variable(vendor, name, &[1]))]);
        assert_eq!(code(&log), "log.payload");
    }
}

/// The form of shim before 15.3: padding after the variable, the last byte of it not digested.
#[test]
fn an_authority_as_old_shims_measured_it() {
    let mut payload = variable(SECURITY, "db", b"certificate");
    payload.extend([0, 0, 0, 0, 0]);
    let digested = payload.clone();
    payload.push(0xaf);
    let log = of_events(&[measured(7, AUTHORITY, &digested, &payload)]);
    only(&log, |event| {
        assert_eq!(event.covered(), digested);
        let Payload::Variable(variable) = event.payload() else {
            panic!("{event:?}");
        };
        assert_eq!(variable.data, b"certificate");
    });
}

#[test]
fn a_register_with_no_events() {
    // It is not among those that the log leads to, so that nothing can be read into it.
    let log = agile(&[(7, SEPARATOR, vec![0; 4])]);
    let registers = registers(&log);
    assert_eq!(registers.len(), 1);
    assert_eq!(registers[0].0, 7);
}

#[test]
fn a_duplicate_separator() {
    let separators = |values: &[[u8; 4]]| {
        let events: Vec<_> = values
            .iter()
            .map(|value| (7, SEPARATOR, value.to_vec()))
            .collect();
        agile(&events)
    };
    let twice = separators(&[[0; 4], [0xff; 4]]);
    let log = EventLog::parse(&twice).unwrap();
    let said: Vec<_> = log.events().iter().map(Event::payload).collect();
    assert_eq!(said[0], Payload::Separator(Separator::Zero));
    assert_eq!(said[1], Payload::Separator(Separator::Ones));
    assert_ne!(registers(&twice), registers(&separators(&[[0; 4]])));
    let odd = separators(&[[0, 0, 0, 2]]);
    only(&odd, |event| {
        assert!(matches!(event.payload(), Payload::Malformed(_)))
    });
}

/// An error is digested as the number 1, whatever the event says of it.
#[test]
fn a_separator_of_an_error() {
    let log = of_events(&[measured(7, SEPARATOR, &[1, 0, 0, 0], b"out of order")]);
    only(&log, |event| {
        assert_eq!(event.payload(), Payload::Separator(Separator::Error));
        assert_eq!(event.coverage(), Coverage::None);
    });
}

#[test]
fn a_variable_after_the_separator() {
    let late = variable(SECURITY, "db", &[]);
    let log = agile(&[(7, SEPARATOR, vec![0; 4]), (7, DRIVER_CONFIG, late)]);
    let log = EventLog::parse(&log).unwrap();
    let Payload::Variable(variable) = log.events()[1].payload() else {
        panic!("{:?}", log.events());
    };
    assert!(variable.is(Guid::SECURITY, "db") && log.events()[1].number == 2);
}

#[test]
fn a_secure_boot_variable_of_length_0_or_value_2() {
    for value in [&[][..], &[0], &[2], &[1, 1]] {
        let log = agile(&[(7, DRIVER_CONFIG, variable(GLOBAL, "SecureBoot", value))]);
        only(&log, |event| {
            let Payload::Variable(variable) = event.payload() else {
                panic!("{event:?}");
            };
            assert!(variable.is(Guid::GLOBAL, "SecureBoot"));
            assert_eq!(variable.content(false), Content::Flag(value));
        });
    }
    // A name with a zero at its end, or of another vendor, is another variable.
    for payload in [
        variable(GLOBAL, "SecureBoot\0", &[1]),
        variable(SECURITY, "SecureBoot", &[1]),
    ] {
        let log = agile(&[(7, DRIVER_CONFIG, payload)]);
        only(&log, |event| {
            let Payload::Variable(variable) = event.payload() else {
                panic!("{event:?}");
            };
            assert!(!variable.is(Guid::GLOBAL, "SecureBoot"));
        });
    }
}

#[test]
fn uefi_debug_mode() {
    let log = agile(&[(7, EFI_ACTION, b"UEFI Debug Mode".to_vec())]);
    only(&log, |event| {
        let Payload::Action(text) = event.payload() else {
            panic!("{event:?}");
        };
        assert!(text.is("UEFI Debug Mode") && event.covers_payload());
    });
}

#[test]
fn an_extend_after_exit_boot_services() {
    let log = agile(&[
        (5, EFI_ACTION, b"Exit Boot Services Invocation".to_vec()),
        (
            5,
            EFI_ACTION,
            b"Exit Boot Services Returned with Success".to_vec(),
        ),
        (5, IPL, b"late".to_vec()),
    ]);
    let log = EventLog::parse(&log).unwrap();
    assert!(matches!(log.events()[2].payload(), Payload::Text(text) if text.is("late")));
}

#[test]
fn a_startup_locality_out_of_place() {
    let locality = |value: u8| no_action(0, &[&b"StartupLocality\0"[..], &[value]].concat());
    let crtm = measured(0, VERSION, b"1.0", b"1.0");
    for value in [0, 3, 4] {
        let log = of_events(&[locality(value), crtm.clone()]);
        assert_eq!(
            EventLog::parse(&log).unwrap().startup_locality(),
            Some(value)
        );
    }
    assert_eq!(code(&of_events(&[locality(1)])), "log.locality");
    assert_eq!(
        code(&of_events(&[locality(3), locality(3)])),
        "log.locality"
    );
    assert_eq!(code(&of_events(&[crtm, locality(3)])), "log.locality");
}

/// An H-CRTM begins PCR 0 at 4, is its first event, and no locality may say otherwise.
#[test]
fn a_hardware_root_out_of_place() {
    let hardware = measured(0, HCRTM, b"measured by the processor", b"HCRTM");
    let locality = |value: u8| no_action(0, &[&b"StartupLocality\0"[..], &[value]].concat());
    let crtm = measured(0, VERSION, b"1.0", b"1.0");
    let alone = of_events(&[hardware.clone(), crtm.clone()]);
    let with = of_events(&[locality(4), hardware.clone(), crtm.clone()]);
    assert_eq!(EventLog::parse(&alone).unwrap().startup_locality(), Some(4));
    assert_eq!(registers(&alone), registers(&with));
    let retyped = of_events(&[
        measured(0, IPL, b"measured by the processor", b"HCRTM"),
        crtm.clone(),
    ]);
    assert_ne!(registers(&alone), registers(&retyped));
    for wrong in [
        of_events(&[locality(3), hardware.clone()]),
        of_events(&[locality(0), hardware.clone()]),
        of_events(&[crtm, hardware.clone()]),
        of_events(&[hardware.clone(), hardware]),
        of_events(&[measured(1, HCRTM, b"elsewhere", b"HCRTM")]),
    ] {
        assert_eq!(code(&wrong), "log.locality");
    }
}

#[test]
fn a_sha1_log_for_a_sha256_quote() {
    // It has no SHA-256 bank, in either form; a log that leaves the bank out of one event has
    // none either, instead of a register with an event less.
    for log in [
        logs::old_form(),
        [
            header(&[(SHA1, 20)]),
            event(4, IPL, &[(SHA1, &[7; 20])], b""),
        ]
        .concat(),
        [
            header(&[(SHA1, 20), (SHA256, 32)]),
            event(4, IPL, &[(SHA1, &[7; 20]), (SHA256, &[7; 32])], b""),
            event(4, IPL, &[(SHA1, &[7; 20])], b""),
        ]
        .concat(),
    ] {
        let parsed = EventLog::parse(&log).unwrap();
        assert_eq!(parsed.banks(), [(SHA1, 20)]);
        assert!(registers(&log).iter().all(|(_, bank, _)| *bank == SHA1));
    }
}

#[test]
fn a_header_of_zero_or_4g_algorithms() {
    for count in [0, 2, 9, 0x1000_0000, u32::MAX] {
        let mut log = header(&[(SHA256, 32)]);
        log[56..60].copy_from_slice(&count.to_le_bytes());
        assert_eq!(code(&log), "log.malformed", "{count} algorithms");
    }
}

#[test]
fn a_header_of_an_unknown_algorithm() {
    assert_eq!(
        code(&header(&[(SHA256, 32), (0x7777, 32)])),
        "log.malformed"
    );
    assert_eq!(code(&header(&[(SHA256, 0xffff)])), "log.malformed");
    assert_eq!(
        code(&header(&[(SHA256, 32), (SHA256, 32)])),
        "log.malformed"
    );
}

#[test]
fn an_event_of_undeclared_or_doubled_digests() {
    let with = |digests: &[(u16, &[u8])]| {
        code(
            &[
                header(&[(SHA1, 20), (SHA256, 32)]),
                event(4, IPL, digests, b""),
            ]
            .concat(),
        )
    };
    assert_eq!(with(&[(SHA1, &[0; 20]), (SHA256, &[0; 32])]), "parsed");
    assert_eq!(with(&[]), "log.malformed");
    assert_eq!(
        with(&[(SHA256, &[0; 32]), (SHA256, &[0; 32])]),
        "log.malformed"
    );
    assert_eq!(with(&[(0x0c, &[0; 48])]), "log.malformed");
}

/// Sizes at and around the wrap of 32 bits, and 3 GB: refused by the bytes that are there.
#[test]
fn an_event_of_a_wrapping_or_3_gb_size() {
    for log in [
        of_events(&[measured(4, IPL, b"x", b"x")]),
        old_event(4, IPL, &[7; 20], b"x"),
    ] {
        let size = log.len() - 5;
        for claimed in [0, 2, 0x7fff_ffff, 3_000_000_000, u32::MAX - 4, u32::MAX] {
            let mut hostile = log.clone();
            hostile[size..size + 4].copy_from_slice(&claimed.to_le_bytes());
            assert_eq!(code(&hostile), "log.malformed", "{claimed}");
        }
    }
}

/// The same in payloads, where every structure names sizes of its own.
#[test]
fn a_payload_of_wrapping_sizes() {
    const WRAPS: [u64; 5] = [1 << 31, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX];
    let malformed = |kind: u32, payload: &[u8]| {
        let payload = Payload::read(kind, payload);
        assert!(matches!(payload, Payload::Malformed(_)), "{payload:?}");
    };
    for size in WRAPS {
        let size = size.to_le_bytes();
        let zero = [0; 8];
        malformed(DRIVER_CONFIG, &[&GLOBAL[..], &size, &zero].concat());
        malformed(DRIVER_CONFIG, &[&GLOBAL[..], &zero, &size].concat());
        malformed(APPLICATION, &[&[0; 24][..], &size].concat());
        malformed(0x8000_0009, &size);
        let table = [
            &b"EFI PART"[..],
            &[0; 76],
            &[128, 0, 0, 0, 0, 0, 0, 0],
            &size,
        ]
        .concat();
        malformed(logs::GPT, &table);
    }
    malformed(TAG, &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    malformed(
        logs::NO_ACTION,
        &[&b"SP800-155 Event2"[..], &[0; 20], &[0xff]].concat(),
    );
}

/// Signature lists that are shorter than themselves, or of entries of no size.
#[test]
fn a_signature_list_of_hostile_sizes() {
    let list = |list: u32, header: u32, entry: u32, body: &[u8]| {
        let sizes = [
            list.to_le_bytes(),
            header.to_le_bytes(),
            entry.to_le_bytes(),
        ]
        .concat();
        let data = [&Guid::CERT_SHA256.as_bytes()[..], &sizes, body].concat();
        let payload = variable(SECURITY, "dbx", &data);
        let Payload::Variable(variable) = Payload::read(DRIVER_CONFIG, &payload) else {
            panic!("no variable");
        };
        matches!(variable.content(false), Content::Malformed(_))
    };
    assert!(!list(76, 0, 48, &[7; 48]));
    for (size, header, entry) in [
        (0, 0, 48),
        (27, 0, 48),
        (28, 1, 48),
        (76, 0, 0),
        (76, 0, 15),
        (76, 0, 47),
        (76, 0, 24),
        (76, u32::MAX, 48),
        (u32::MAX, 0, 48),
        (76, 0, u32::MAX),
    ] {
        assert!(
            list(size, header, entry, &[7; 48]),
            "{size} {header} {entry}"
        );
    }
}

/// Device paths are walked: a node of no length does not stop the walk in place, and a path of
/// as many nodes as fit costs no stack.
#[test]
fn a_device_path_that_recurses() {
    let image = |path: &[u8]| {
        let size = (path.len() as u64).to_le_bytes();
        [&[0; 24][..], &size, path].concat()
    };
    for node in [[1, 1, 0, 0], [1, 1, 3, 0], [4, 4, 0xff, 0xff]] {
        let payload = image(&node);
        let payload = Payload::read(APPLICATION, &payload);
        assert!(matches!(payload, Payload::Malformed(_)), "{payload:?}");
    }
    let deep = image(&[0x7f, 0x01, 4, 0].repeat(1 << 20));
    let Payload::Image(load) = Payload::read(APPLICATION, &deep) else {
        panic!("a long path is a path");
    };
    assert_eq!(load.path.nodes().count(), 1 << 20);
    let records = [0; 8].repeat(1 << 20);
    assert!(matches!(Payload::read(TAG, &records), Payload::Tagged(_)));
}

/// Where a log is cut in an event it is malformed; where it is cut between two it leads to other
/// registers. 64 KiB is where some systems cut.
#[test]
fn a_log_cut_at_64_kib() {
    let events: Vec<_> = (0_u32..2000).map(|n| (n % 8, IPL, vec![7; 10])).collect();
    let log = agile(&events);
    let whole = registers(&log);
    assert!(log.len() > 0x1_0000);
    let parsed = EventLog::parse(&log).unwrap();
    let ends: Vec<_> = parsed.events().iter().map(|event| event.offset).collect();
    for cut in 0x1_0000 - 80..=0x1_0000 {
        let short = &log[..cut];
        if ends.contains(&cut) {
            assert_ne!(registers(short), whole);
        } else {
            assert_eq!(code(short), "log.malformed", "cut at {cut}");
        }
    }
}

#[test]
fn more_than_the_stated_limits() {
    use casemate_attest::eventlog::{MAX_EVENTS, MAX_LOG};
    let event = old_event(4, IPL, &[7; 20], b"");
    let most = event.repeat(MAX_EVENTS);
    assert_eq!(EventLog::parse(&most).unwrap().events().len(), MAX_EVENTS);
    assert_eq!(code(&[&most[..], &event].concat()), "log.malformed");
    let large = old_event(4, IPL, &[7; 20], &vec![0; MAX_LOG]);
    assert_eq!(code(&large), "log.malformed");
}

#[test]
fn an_event_that_extends_nothing_has_no_digest() {
    let log = |digest: &[u8]| {
        of_events(&[event(
            0,
            logs::NO_ACTION,
            &[(SHA256, digest)],
            b"vendor's own words",
        )])
    };
    assert_eq!(code(&log(&[0; 32])), "parsed");
    assert_eq!(code(&log(&[1; 32])), "log.malformed");
}

#[test]
fn a_second_header() {
    let spec = &header(&[(SHA256, 32)])[32..];
    assert_eq!(code(&of_events(&[no_action(0, spec)])), "log.malformed");
}

/// The order between registers is authenticated by nothing: swapped, the registers are the same.
#[test]
fn the_order_between_registers_is_no_fact() {
    let (one, two) = ((4, IPL, b"one".to_vec()), (5, IPL, b"two".to_vec()));
    let there = registers(&agile(&[one.clone(), two.clone()]));
    assert_eq!(there, registers(&agile(&[two, one])));
}

/// The logs of real firmware read to the end, and nothing in them is malformed.
#[test]
fn a_genuine_log_is_whole() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let recorded = fs::read(vectors.join("ovmf-secboot/firmware.log")).unwrap();
    for log in [genuine(), recorded] {
        let log = EventLog::parse(&log).unwrap();
        assert_eq!(log.banks().len(), 4);
        for event in log.events() {
            let payload = event.payload();
            let whole = !matches!(payload, Payload::Malformed(_) | Payload::Unknown(_));
            assert!(whole, "{payload:?}");
        }
    }
}
