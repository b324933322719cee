//! What no boot may do: for each rule a machine that breaks it, its log honest and its quote
//! genuine, and the code that names it. Also which release a register does match, and what became
//! different since enrolment.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::digest::Digest;
use casemate_attest::verdict::Verdict;
use stand::{
    ACTION, APPLICATION, AUTHORITY, BootEvent, Events, GLOBAL, IPL, SECURITY, SEPARATOR, Stand,
    VARIABLE, certificates, firmware_events, firmware_log, hashes, variable,
};

/// The verdict on a machine whose firmware measured otherwise, with a release and an enrolment
/// that bless exactly that: only the rules of the boot are left to refuse it.
fn blessed(edit: impl FnOnce(&mut Events)) -> Verdict {
    let mut events = firmware_events();
    edit(&mut events);
    let stand = Stand {
        firmware: firmware_log(&events),
        blessed: Some(events),
        ..Stand::default()
    };
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    stand.judge(&auditor, &evidence).unwrap()
}

fn refused(code: &str, edit: impl FnOnce(&mut Events)) {
    let verdict = blessed(edit);
    let failures = verdict.failures();
    assert!(failures.contains(&code), "{code} in {failures:?}");
}

fn named<'e>(events: &'e mut Events, name: &str) -> &'e mut BootEvent {
    events.iter_mut().find(|event| event.2 == name).unwrap()
}

fn at(events: &Events, pcr: u32, kind: u32) -> usize {
    events
        .iter()
        .position(|event| (event.0, event.1) == (pcr, kind))
        .unwrap()
}

#[test]
fn a_boot_as_it_must_be_passes() {
    let verdict = blessed(|_| ());
    assert_eq!(verdict.failures(), [""; 0]);
}

#[test]
fn secure_boot_of_length_0_is_refused() {
    refused("secure-boot.off", |events| {
        named(events, "SecureBoot").3 = variable(&GLOBAL, "SecureBoot", &[]);
    });
}

#[test]
fn secure_boot_of_value_0_or_2_or_two_bytes_is_refused() {
    for value in [&[0][..], &[2], &[1, 1], &[1, 0]] {
        refused("secure-boot.off", |events| {
            named(events, "SecureBoot").3 = variable(&GLOBAL, "SecureBoot", value);
        });
    }
}

/// A variable of that name in another vendor's name space is not the one that counts.
#[test]
fn secure_boot_of_another_vendor_is_refused() {
    refused("secure-boot.missing", |events| {
        named(events, "SecureBoot").3 = variable(&SECURITY, "SecureBoot", &[1]);
    });
}

#[test]
fn uefi_debug_mode_is_refused() {
    refused("secure-boot.debug", |events| {
        events.insert(0, (7, ACTION, "debug", b"UEFI Debug Mode".to_vec()));
    });
}

#[test]
fn audit_mode_is_refused() {
    refused("secure-boot.debug", |events| {
        let mode = variable(&GLOBAL, "AuditMode", &[1]);
        events.insert(0, (7, VARIABLE, "AuditMode", mode));
    });
}

#[test]
fn a_duplicate_separator_is_refused() {
    for pcr in 0..8 {
        refused("separator.twice", |events| {
            events.push((pcr, SEPARATOR, "again", vec![0; 4]));
        });
    }
}

#[test]
fn a_missing_separator_is_refused() {
    for pcr in 0..8 {
        refused("separator.missing", |events| {
            let separator = at(events, pcr, SEPARATOR);
            events.remove(separator);
        });
    }
}

#[test]
fn a_separator_that_reports_an_error_is_refused() {
    for pcr in 0..8 {
        refused("separator.error", |events| {
            let separator = at(events, pcr, SEPARATOR);
            events[separator].3 = vec![1, 0, 0, 0];
        });
    }
}

#[test]
fn a_variable_after_the_separator_is_refused() {
    refused("secure-boot.late", |events| {
        let mode = variable(&GLOBAL, "DeployedMode", &[1]);
        events.push((7, VARIABLE, "late", mode));
    });
}

#[test]
fn a_duplicate_variable_is_refused() {
    refused("secure-boot.twice", |events| {
        let first = at(events, 7, VARIABLE);
        let again = events[first].clone();
        events.insert(first, again);
    });
}

#[test]
fn a_variable_that_is_missing_is_refused() {
    for name in ["SecureBoot", "PK", "KEK", "db", "dbx"] {
        refused("secure-boot.missing", |events| {
            events.retain(|event| event.2 != name);
        });
    }
}

#[test]
fn an_empty_pk_kek_or_db_is_refused() {
    for (vendor, name) in [(GLOBAL, "PK"), (GLOBAL, "KEK"), (SECURITY, "db")] {
        refused("secure-boot.empty", |events| {
            named(events, name).3 = variable(&vendor, name, &[]);
        });
    }
}

/// No rule asks for something to be forbidden: a new machine's dbx may be empty.
#[test]
fn an_empty_dbx_passes() {
    let verdict = blessed(|events| {
        named(events, "dbx").3 = variable(&SECURITY, "dbx", &[]);
    });
    assert_eq!(verdict.failures(), [""; 0]);
}

#[test]
fn a_database_that_is_no_list_is_refused() {
    refused("secure-boot.malformed", |events| {
        named(events, "db").3 = variable(&SECURITY, "db", b"not a list");
    });
}

#[test]
fn an_image_that_no_entry_of_db_allowed_is_refused() {
    refused("secure-boot.authority", |events| {
        events.retain(|event| event.1 != AUTHORITY);
    });
    // Before the separator it allowed a driver, not the image.
    refused("secure-boot.authority", |events| {
        let authority = at(events, 7, AUTHORITY);
        let allowed = events.remove(authority);
        events.insert(0, allowed);
    });
}

#[test]
fn an_unknown_event_in_a_register_of_the_image_is_refused() {
    for pcr in [4, 7, 11, 12, 13, 15] {
        refused("register.kind", |events| {
            events.push((pcr, 0x0c, "stranger", b"a vendor's own".to_vec()));
        });
    }
    refused("register.kind", |events| {
        events.insert(
            0,
            (7, VARIABLE, "other", variable(&GLOBAL, "Timeout", &[1])),
        );
    });
}

#[test]
fn an_extend_of_a_platform_register_after_its_separator_is_refused() {
    for (pcr, kind) in [(0, 0x08), (1, 0x0a), (2, 0x0a), (3, 0x01), (6, 0x01)] {
        refused("separator.after", |events| {
            events.push((pcr, kind, "late", b"late".to_vec()));
        });
    }
}

fn exit(events: &mut Events) {
    for words in [
        "Exit Boot Services Invocation",
        "Exit Boot Services Returned with Success",
    ] {
        events.push((5, ACTION, "exit", words.as_bytes().to_vec()));
    }
}

#[test]
fn an_extend_after_exit_boot_services_is_refused() {
    assert_eq!(blessed(exit).failures(), [""; 0]);
    refused("exit.after", |events| {
        exit(events);
        events.push((
            5,
            ACTION,
            "later",
            b"Exit Boot Services Invocation".to_vec(),
        ));
    });
    refused("exit.after", |events| {
        exit(events);
        events.push((5, IPL, "later", b"a loader that runs later".to_vec()));
    });
}

#[test]
fn an_exit_that_never_succeeded_is_refused() {
    refused("exit.missing", |events| {
        exit(events);
        events.pop();
    });
    refused("exit.missing", |events| {
        let words = b"Exit Boot Services Returned with Success";
        events.push((5, ACTION, "exit", words.to_vec()));
    });
}

/// A call that failed and was repeated, as kernels do when memory changed under them.
#[test]
fn an_exit_at_the_second_call_passes() {
    let verdict = blessed(|events| {
        for words in [
            "Exit Boot Services Invocation",
            "Exit Boot Services Returned with Failure",
        ] {
            events.push((5, ACTION, "exit", words.as_bytes().to_vec()));
        }
        exit(events);
    });
    assert_eq!(verdict.failures(), [""; 0]);
}

fn attempt(events: &mut Events) {
    let image = at(events, 4, APPLICATION);
    for words in [
        "Calling EFI Application from Boot Option",
        "Returning from EFI Application from Boot Option",
    ] {
        events.insert(image, (4, ACTION, "attempt", words.as_bytes().to_vec()));
    }
}

#[test]
fn another_boot_attempt_before_ours_is_refused() {
    refused("loader.attempt", attempt);
}

/// A release that allows one failed attempt: one passes, two do not, and one that ran an image
/// never does.
#[test]
fn boot_attempts_that_a_release_lists() {
    let judge = |edit: &dyn Fn(&mut Events)| {
        let mut events = firmware_events();
        edit(&mut events);
        let stand = Stand {
            firmware: firmware_log(&events),
            failed_attempts: 1,
            ..Stand::default()
        };
        let auditor = stand.auditor();
        let evidence = stand.evidence(&auditor.challenge).to_bytes();
        stand.judge(&auditor, &evidence).unwrap().failures()
    };
    assert_eq!(judge(&|_| ()), [""; 0]);
    assert_eq!(judge(&attempt), [""; 0]);
    let twice = judge(&|events| {
        attempt(events);
        attempt(events);
    });
    assert_eq!(twice, ["register.event", "loader.attempt"]);
    let ran = judge(&|events| {
        attempt(events);
        let separator = at(events, 4, SEPARATOR);
        events.insert(
            separator + 1,
            (4, APPLICATION, "dvd", b"a stranger's loader".to_vec()),
        );
    });
    assert!(ran.contains(&"loader.attempt"), "{ran:?}");
}

#[test]
fn what_secure_boot_trusts_is_explained() {
    let verdict = blessed(|events| {
        named(events, "dbx").3 = variable(&SECURITY, "dbx", &hashes(&[[1; 32], [2; 32]]));
        named(events, "KEK").3 = variable(
            &GLOBAL,
            "KEK",
            &certificates(&[b"exchange one", b"exchange two"]),
        );
    });
    let text = verdict
        .text()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(text.contains("dbx: 2 hashes"), "{text}");
    for key in [b"exchange one", b"exchange two"] {
        assert!(text.contains(&Digest::of(key).to_string()), "{text}");
    }
}

/// As many events as an attacker likes hide no kind of fault, and make no report without end.
#[test]
fn many_faults_of_a_kind_are_counted_and_hide_no_other() {
    let verdict = blessed(|events| {
        named(events, "SecureBoot").3 = variable(&GLOBAL, "SecureBoot", &[0]);
        for _ in 0..1000 {
            events.push((7, ACTION, "late", b"late".to_vec()));
            events.push((0, 1, "late", b"late".to_vec()));
        }
    });
    assert!(verdict.failures().contains(&"secure-boot.off"));
    for pcr in ["register 0:", "register 7:"] {
        let late = verdict.checks().iter().filter(|check| {
            let is_late = check.code.is_some_and(|code| code.id == "separator.after");
            is_late && check.detail.starts_with(pcr)
        });
        let late: Vec<_> = late.collect();
        assert_eq!(late.len(), 16);
        let last = &late[15].detail;
        assert!(last.ends_with(", and 984 more like it"), "{last}");
    }
    let entry = casemate_attest::ledger::Entry::of(&verdict, b"file", 0);
    let mut codes = entry.codes.clone();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), entry.codes.len());
    assert!(codes.len() < 64);
}
