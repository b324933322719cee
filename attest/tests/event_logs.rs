//! Event logs: what is malformed, and what a log can be changed into without being told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod logs;
mod stand;

use casemate_attest::digest::Digest;
use casemate_attest::enrolment::PcrValue;
use casemate_attest::eventlog::{EventLog, LogError};
use casemate_attest::verdict::Decision;
use proptest::prelude::*;
use stand::{
    GLOBAL, IPL, SEPARATOR, Stand, event, event_with, firmware_events, firmware_log, log_header,
    replay, variable,
};

const NO_ACTION: u32 = 3;

fn code(log: &[u8]) -> &'static str {
    match EventLog::parse(log) {
        Ok(_) => "parsed",
        Err(error) => error.code().id,
    }
}

fn header() -> Vec<u8> {
    log_header(&[(0x000b, 32)])
}

fn locality(value: u8) -> Vec<u8> {
    let data = [&b"StartupLocality\0"[..], &[value]].concat();
    event_with(0, NO_ACTION, &Digest::ZERO, &data)
}

/// The verdict's failures on evidence whose TPM really went through these logs: the logs lead to
/// the quoted registers, and only what they contain can tell.
fn failures_of(firmware: Vec<u8>) -> Vec<&'static str> {
    failures(Stand {
        firmware,
        ..Stand::default()
    })
}

fn failures(stand: Stand) -> Vec<&'static str> {
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    stand.judge(&auditor, &evidence).unwrap().failures()
}

#[test]
fn a_header_of_hostile_banks() {
    assert_eq!(code(&header()), "parsed");
    assert_eq!(code(&log_header(&[])), "log.malformed");
    assert_eq!(code(&log_header(&[(0x000b, 31)])), "log.malformed");
    assert_eq!(code(&log_header(&[(0x000b, 0xffff)])), "log.malformed");
    assert_eq!(code(&log_header(&[(0x7777, 32)])), "log.malformed");
    assert_eq!(
        code(&log_header(&[(0x000b, 32), (0x000b, 32)])),
        "log.malformed"
    );
    assert_eq!(code(&log_header(&[(0x000b, 32); 9])), "log.malformed");
    for count in [0, 2, 0x1000_0000, u32::MAX] {
        let mut many = header();
        many[56..60].copy_from_slice(&u32::to_le_bytes(count));
        assert_eq!(code(&many), "log.malformed", "{count} banks");
    }
}

#[test]
fn sizes_that_are_not_there() {
    let good = [header(), event(4, IPL, b"payload")].concat();
    assert_eq!(code(&good), "parsed");
    let size = good.len() - b"payload".len() - 4;
    for claimed in [0, 6, 8, 0x7fff_ffff, 3_000_000_000, u32::MAX] {
        let mut log = good.clone();
        log[size..size + 4].copy_from_slice(&u32::to_le_bytes(claimed));
        assert_eq!(code(&log), "log.malformed", "a size of {claimed}");
    }
    for end in 0..good.len() {
        let whole = end == header().len();
        assert_eq!(code(&good[..end]) == "parsed", whole, "cut at {end}");
    }
}

#[test]
fn events_of_a_hostile_form() {
    let with = |event: Vec<u8>| code(&[header(), event].concat());
    assert_eq!(with(event(24, IPL, b"")), "log.malformed");
    assert_eq!(with(event(u32::MAX, IPL, b"")), "log.malformed");
    let mut digests = event(4, IPL, b"");
    digests[8] = 0;
    assert_eq!(with(digests.clone()), "log.malformed");
    digests[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(with(digests), "log.malformed");
    let mut bank = event(4, IPL, b"");
    bank[12] = 0x04;
    assert_eq!(with(bank), "log.malformed");
    assert_eq!(code(b""), "log.malformed");
    assert_eq!(code(&event(4, IPL, b"no header")), "log.malformed");
}

#[test]
fn a_startup_locality_out_of_place() {
    let log = |events: &[Vec<u8>]| code(&[&header()[..], &events.concat()].concat());
    for value in [0, 3, 4] {
        assert_eq!(log(&[locality(value), event(0, IPL, b"crtm")]), "parsed");
    }
    assert_eq!(log(&[locality(1)]), "log.locality");
    assert_eq!(log(&[locality(3), locality(3)]), "log.locality");
    assert_eq!(log(&[event(0, IPL, b"crtm"), locality(3)]), "log.locality");
    let mut elsewhere = locality(3);
    elsewhere[0] = 1;
    assert_eq!(log(&[elsewhere]), "log.locality");
    let long = event_with(0, NO_ACTION, &Digest::ZERO, b"StartupLocality\0\x03\x03");
    assert_eq!(log(&[long]), "log.locality");
}

#[test]
fn a_payload_edited_under_a_kept_digest() {
    let edited = event_with(7, SEPARATOR, &Digest::of(&[0; 4]), &[0, 0, 0, 1]);
    assert_eq!(code(&[header(), edited].concat()), "log.payload");
}

#[test]
fn a_log_without_the_quoted_bank() {
    let sha1 = {
        let mut event = 4_u32.to_le_bytes().to_vec();
        event.extend(IPL.to_le_bytes());
        event.extend(1_u32.to_le_bytes());
        event.extend(4_u16.to_le_bytes());
        event.extend([7; 20]);
        event.extend(0_u32.to_le_bytes());
        [log_header(&[(0x0004, 20)]), event].concat()
    };
    assert_eq!(code(&sha1), "parsed");
    let stand = Stand::default();
    let auditor = stand.auditor();
    let mut body = stand.body(&auditor.challenge);
    body.firmware_log = sha1;
    let body = body.sealed();
    let quote = stand.quote(&body.qualifying());
    let evidence = casemate_attest::evidence::Evidence::new(body, vec![quote]).to_bytes();
    let failures = stand.judge(&auditor, &evidence).unwrap().failures();
    assert_eq!(failures, ["log.bank"]);
}

/// No events for a register, so that a replay has nothing to disagree with.
#[test]
fn a_register_whose_events_are_left_out() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let without = |pcr: u32| {
        let events: Vec<_> = firmware_events()
            .into_iter()
            .filter(|event| event.0 != pcr)
            .collect();
        let mut body = stand.body(&auditor.challenge);
        body.firmware_log = firmware_log(&events);
        let body = body.sealed();
        let quote = stand.quote(&body.qualifying());
        let evidence = casemate_attest::evidence::Evidence::new(body, vec![quote]).to_bytes();
        stand.judge(&auditor, &evidence).unwrap().failures()
    };
    for pcr in (0..8).chain([11]) {
        assert_eq!(without(pcr), ["log.absent"], "register {pcr}");
    }
}

/// What a machine that really booted otherwise shows: the register and the reason.
#[test]
fn a_boot_of_something_else() {
    let altered = |name: &str, data: &[u8]| {
        let mut events = firmware_events();
        let event = events.iter_mut().find(|event| event.2 == name).unwrap();
        event.3 = data.to_vec();
        failures_of(firmware_log(&events))
    };
    assert_eq!(altered("firmware version", b"1.1"), ["register.platform"]);
    for (value, what) in [
        (&[0][..], "off"),
        (&[2], "of value 2"),
        (&[], "of length 0"),
    ] {
        let secure_boot = variable(&GLOBAL, "SecureBoot", value);
        assert_eq!(
            altered("SecureBoot", &secure_boot),
            ["register.event", "secure-boot.off"],
            "Secure Boot {what}"
        );
    }
    assert_eq!(altered("loader", b"another loader"), ["register.event"]);
    let more = |pcr, event_type, data: &[u8]| {
        let mut events = firmware_events();
        events.push((pcr, event_type, "more", data.to_vec()));
        failures_of(firmware_log(&events))
    };
    assert_eq!(
        more(7, SEPARATOR, &[0; 4]),
        ["register.extra", "separator.twice"],
        "a second separator"
    );
    assert_eq!(
        more(7, stand::VARIABLE, &variable(&GLOBAL, "DeployedMode", &[1])),
        ["register.extra", "secure-boot.late"],
        "after the separator"
    );
    assert_eq!(more(4, stand::APPLICATION, b"x"), ["register.extra"]);
    assert_eq!(more(12, IPL, b"a command line"), ["register.extra"]);
    assert_eq!(more(13, IPL, b"an extension"), ["register.extra"]);
}

/// What is left out, or given out as another kind.
#[test]
fn a_boot_of_less_or_of_other_names() {
    let mut events = firmware_events();
    events.retain(|event| event.2 != "loader");
    assert_eq!(
        failures_of(firmware_log(&events)),
        ["register.missing"],
        "no loader"
    );
    let mut events = firmware_events();
    events.pop();
    assert_eq!(
        failures_of(firmware_log(&events)),
        ["register.missing"],
        "no enter-initrd"
    );
    let mut retyped = firmware_events();
    let loader = retyped
        .iter_mut()
        .find(|event| event.2 == "loader")
        .unwrap();
    loader.1 = 0x0000_0002;
    let failures = failures_of(firmware_log(&retyped));
    assert_eq!(
        failures,
        ["register.type", "separator.after", "register.kind"]
    );
}

/// Later boot phases may follow, in their order and no others.
#[test]
fn the_tail_of_phases() {
    let after = |phases: &[&[u8]]| {
        let mut runtime = stand::runtime_log();
        phases
            .iter()
            .for_each(|phase| runtime.extend(event(11, IPL, phase)));
        failures(Stand {
            runtime,
            ..Stand::default()
        })
    };
    assert!(after(&[]).is_empty());
    assert!(after(&[b"leave-initrd"]).is_empty());
    assert!(after(&[b"leave-initrd", b"sysinit"]).is_empty());
    assert_eq!(after(&[b"sysinit"]), ["register.event"]);
    assert_eq!(
        after(&[b"leave-initrd", b"sysinit", b"sysinit"]),
        ["register.extra"]
    );
}

/// PCR 15 says that the root was opened, once.
#[test]
fn an_unseal_that_was_not_measured_or_twice() {
    let never = Stand {
        runtime: header(),
        ..Stand::default()
    };
    assert_eq!(failures(never), ["register.missing"]);
    let twice = [stand::runtime_log(), event(15, IPL, b"unseal")].concat();
    assert_eq!(
        failures(Stand {
            runtime: twice,
            ..Stand::default()
        }),
        ["register.extra"]
    );
}

/// systemd's own log in the place of the runtime log: its digests lead to the registers and are
/// compared event by event, whatever it says in words.
#[test]
fn a_runtime_log_of_systemd() {
    let with = |runtime: &[Vec<u8>]| {
        failures(Stand {
            runtime: runtime.concat(),
            ..Stand::default()
        })
    };
    let opened = logs::record(15, "volume-key", "unseal", b"unseal");
    let phase = |word: &str| logs::record(11, "phase", word, word.as_bytes());
    assert!(with(std::slice::from_ref(&opened)).is_empty());
    assert!(with(&[opened.clone(), phase("leave-initrd")]).is_empty());
    assert_eq!(with(&[phase("leave-initrd")]), ["register.missing"]);
    assert_eq!(
        with(&[opened.clone(), phase("emergency")]),
        ["register.event"]
    );
    assert_eq!(with(&[opened.clone(), opened]), ["register.extra"]);
}

/// What systemd says was measured is held against what was, before any register is.
#[test]
fn a_runtime_log_of_systemd_that_lies() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let mut body = stand.body(&auditor.challenge);
    body.runtime_log = logs::record(11, "phase", "leave-initrd", b"emergency");
    let body = body.sealed();
    let quote = stand.quote(&body.qualifying());
    let evidence = casemate_attest::evidence::Evidence::new(body, vec![quote]).to_bytes();
    let failures = stand.judge(&auditor, &evidence).unwrap().failures();
    assert_eq!(failures, ["log.payload"]);
}

/// The firmware's log is never of systemd's form.
#[test]
fn a_firmware_log_of_systemd() {
    let stand = Stand::default();
    let auditor = stand.auditor();
    let mut body = stand.body(&auditor.challenge);
    body.firmware_log = logs::systemd_log();
    let body = body.sealed();
    let quote = stand.quote(&body.qualifying());
    let evidence = casemate_attest::evidence::Evidence::new(body, vec![quote]).to_bytes();
    let failures = stand.judge(&auditor, &evidence).unwrap().failures();
    assert_eq!(failures, ["log.malformed"]);
}

#[test]
fn a_startup_locality_in_the_runtime_log() {
    let runtime = [header(), locality(3), event(15, IPL, b"unseal")].concat();
    assert_eq!(
        failures(Stand {
            runtime,
            ..Stand::default()
        }),
        ["log.locality"]
    );
}

/// What a byte of a log says about a changed copy of it.
#[derive(Debug, PartialEq)]
enum Change {
    Malformed,
    OtherRegisters,
    Unauthenticated,
}

fn judge_change(log: &[u8], at: usize, changed: u8, registers: &[PcrValue]) -> Change {
    let mut other = log.to_vec();
    other[at] = changed;
    if EventLog::parse(&other).is_err() {
        return Change::Malformed;
    }
    if replay(&[&other]) != registers {
        return Change::OtherRegisters;
    }
    Change::Unauthenticated
}

/// Every single byte of a passing log: malformed, other registers, or a byte that is not
/// authenticated, and then the appraisal did not depend on it or rejects it.
#[test]
fn every_single_byte_of_a_passing_log() {
    let stand = Stand::default();
    let log = &stand.firmware;
    let registers = replay(&[log]);
    let auditor = stand.auditor();
    let genuine = EventLog::parse(log).unwrap();
    let mut unauthenticated = 0;
    for at in 0..log.len() {
        let changed = log[at] ^ 0x41;
        if judge_change(log, at, changed, &registers) != Change::Unauthenticated {
            continue;
        }
        unauthenticated += 1;
        let event = genuine
            .events()
            .iter()
            .rev()
            .find(|event| event.offset <= at);
        let field = event.map(|event| at - event.offset);
        match (event, field) {
            // The header: platform class, version and errata are of no consequence.
            (None, _) => {}
            // The type: not authenticated, and compared all the same.
            (Some(_), Some(4..8)) => {}
            // The payload of an event whose digest is not over it.
            (Some(event), Some(field)) => {
                let payload = 4 + 4 + 4 + 2 + 32 + 4;
                assert!(
                    field >= payload && !event.covers_payload(),
                    "byte {at}: {event:?}"
                );
            }
            (Some(_), None) => unreachable!(),
        }
        // Quoted by a TPM of a lying system: either the verdict fails, or nothing of it changes.
        let mut body = stand.body(&auditor.challenge);
        body.firmware_log[at] = changed;
        let body = body.sealed();
        let quote = stand.quote(&body.qualifying());
        let evidence = casemate_attest::evidence::Evidence::new(body, vec![quote]).to_bytes();
        let verdict = stand.judge(&auditor, &evidence).unwrap();
        let typed = matches!(field, Some(4..8)) && event.is_some();
        let owned = event.is_some_and(|event| matches!(event.pcr, 4 | 7 | 11));
        // Of the platform's registers some types are judged (separators), the others are not.
        let expected: &[Decision] = match (typed, owned) {
            (true, true) => &[Decision::Fail],
            (true, false) => &[Decision::Fail, Decision::Pass],
            (false, _) => &[Decision::Pass],
        };
        let text = verdict.text();
        assert!(expected.contains(&verdict.decision()), "byte {at}: {text}");
    }
    assert!(unauthenticated > 0);
}

fn hostile_logs() -> impl Strategy<Value = Vec<u8>> {
    let cut = (
        any::<prop::sample::Index>(),
        any::<u8>(),
        any::<prop::sample::Index>(),
    );
    proptest::collection::vec(cut, 0..6).prop_map(|changes| {
        let mut log = firmware_log(&firmware_events());
        for (at, byte, end) in changes {
            let at = at.index(log.len());
            log[at] = byte;
            if byte % 16 == 0 {
                log.truncate(end.index(log.len()).max(1));
            }
        }
        log
    })
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = EventLog::parse(&bytes);
    }

    #[test]
    fn a_damaged_log_is_parsed_or_refused(log in hostile_logs()) {
        match EventLog::parse(&log) {
            Ok(parsed) => prop_assert!(parsed.events().iter().all(|event| event.pcr < 24)),
            Err(error) => prop_assert!(error.code().id.starts_with("log.")),
        }
    }

    #[test]
    fn one_event_dropped_doubled_or_moved_never_passes(
        at in 0..firmware_events().len(),
        to in 0..firmware_events().len(),
        kind in 0..3,
    ) {
        let mut events = firmware_events();
        match kind {
            0 => { events.remove(at); }
            1 => { let again = events[at].clone(); events.insert(to, again); }
            _ => { let moved = events.remove(at); events.insert(to, moved); }
        }
        let log = firmware_log(&events);
        let same = replay(&[&log]) == replay(&[&firmware_log(&firmware_events())]);
        let passed = failures_of(log).is_empty();
        // The order between registers is not authenticated, and nothing depends on it.
        prop_assert_eq!(passed, same);
    }

    #[test]
    fn any_bytes_are_an_evidence_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let stand = Stand::default();
        let auditor = stand.auditor();
        prop_assert!(stand.judge(&auditor, &bytes).is_err());
    }
}

#[test]
fn an_error_names_event_and_offset() {
    let log = [header(), event(4, IPL, b"one"), event(99, IPL, b"two")].concat();
    let error = EventLog::parse(&log).unwrap_err();
    let LogError::Malformed {
        event: number,
        offset,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(number, 2);
    assert_eq!(offset, header().len() + event(4, IPL, b"one").len());
}
