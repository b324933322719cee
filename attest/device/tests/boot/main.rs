//! A machine with real firmware boots a real kernel under Secure Boot with keys of ours, its
//! `unseal` seals to it, and the evidence it makes is judged by `attest verify`.
//!
//! `make test-boot` (several minutes; each boot is emulated). What the genuine machine leaves is
//! kept in `var/boot/result`; it is also how `attest/tests/vectors/ovmf-secboot` is made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and shows where it is"
)]

mod disk;
mod expected;
mod firmware;
mod initrd;
mod machine;
mod maker;
#[path = "../bed/raw.rs"]
mod raw;
mod site;
mod tool;
mod uki;

use std::fs;
use std::path::Path;

use casemate_attest::digest::Digest;
use casemate_attest::eventlog::EventLog;
use casemate_attest::release::ExpectedEvent;
use casemate_device::SiteApproval;
use machine::{End, Machine};
use site::{SITE, Site, VARIABLES, key, prepared, read, report};

fn assert_log(log: &[u8], register: u8, expected: &[ExpectedEvent]) {
    let log = EventLog::parse(log).unwrap();
    let found: Vec<(u32, Digest)> = log
        .events()
        .iter()
        .filter(|event| event.extends() && event.pcr == register)
        .map(|event| (event.event_type, event.sha256().unwrap()))
        .collect();
    let expected: Vec<(u32, Digest)> = expected
        .iter()
        .map(|event| (event.event_type, event.digests[0]))
        .collect();
    assert_eq!(found, expected, "register {register}");
}

#[test]
#[ignore = "boots a machine: make test-boot"]
fn evidence_of_a_booted_machine_passes_with_predicted_registers() {
    let site = &*SITE;
    assert_eq!(site.machine.boot("second boot", None), End::Off);
    let report = report(&site.machine);
    assert!(report.contains("done evidence"), "{report}");
    let log = disk::get(&site.machine.stick, "firmware.log").unwrap();
    assert_eq!(measurements(&site.predicted), measurements(&site.expected));
    for (register, events) in &site.expected {
        // The phase is measured by the initrd, and is in the run-time log.
        let firmware = events.iter().filter(|event| event.name != "enter-initrd");
        assert_log(&log, *register, &firmware.cloned().collect::<Vec<_>>());
    }
    let (status, text) = site.verify(&site.machine);
    eprintln!("{text}");
    assert!(text.contains("PASS (development root)"), "{text}");
    assert_eq!(status, Some(0));
    let start = processor_ms(|| drop(site.attest(&["--version"])));
    let whole = processor_ms(|| drop(site.judge()));
    eprintln!("attest verify: {whole:.2} ms of processor, {start:.2} ms of it to start");
    keep(site, &log);
}

/// Register, type and digest of each event; names are for people.
fn measurements(registers: &[(u8, Vec<ExpectedEvent>)]) -> Vec<(u8, u32, Vec<Digest>)> {
    let of = |(register, events): &(u8, Vec<ExpectedEvent>)| {
        let register = *register;
        let events = events.iter();
        events
            .map(|event| (register, event.event_type, event.digests.clone()))
            .collect::<Vec<_>>()
    };
    registers.iter().flat_map(of).collect()
}

/// Processor time of the children that `act` runs, in milliseconds: the least of five averages,
/// because the machine may be busy.
fn processor_ms(mut act: impl FnMut()) -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    const ROUNDS: u32 = 10;
    let spent = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        usage.user_time() + usage.system_time()
    };
    (0..5)
        .map(|_| {
            let before = spent();
            (0..ROUNDS).for_each(|_| act());
            let micros = (spent() - before).num_microseconds();
            f64::from(i32::try_from(micros).unwrap()) / 1000.0 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Keeps what makes a vector.
fn keep(site: &Site, log: &[u8]) {
    let result = prepared().join("result");
    fs::create_dir_all(&result).unwrap();
    fs::write(result.join("firmware.log"), log).unwrap();
    for name in [
        "enrolment",
        "challenge",
        "challenge.secret",
        "evidence",
        "audit",
        "release.pub",
        "owner.pub",
        "maker-root.pem",
        "maker-intermediate.pem",
    ] {
        fs::copy(site.path(name), result.join(name)).unwrap();
    }
}

#[test]
#[ignore = "boots a machine: make test-boot"]
fn without_secure_boot_nothing_opens_and_the_evidence_of_an_unwise_site_fails() {
    let site = &*SITE;
    let machine = site.copy("unsecure");
    let empty = read(Path::new(VARIABLES));
    fs::write(
        &machine.variables,
        firmware::store(&empty, &site.keys, false),
    )
    .unwrap();
    // The site approves it all the same: the root then opens, and the auditor is told.
    let pcr7 = expected::value(&expected::variables(&site.keys, false));
    let pcr11 = expected::value(&site.expected[2].1);
    let approval = SiteApproval::sign(&key(2), pcr7, pcr11, expected::NUMBER).unwrap();
    fs::write(machine.work.join("approval"), approval.to_bytes()).unwrap();
    disk::put(
        &machine.stick,
        &machine.work.join("approval"),
        "site-approval",
    );
    assert_eq!(machine.boot("Secure Boot off", None), End::Off);
    let report = report(&machine);
    assert!(report.contains("failed open: "), "{report}");
    assert!(report.contains("PCR 7 holds"), "{report}");
    assert!(report.contains("done evidence"), "{report}");
    let (status, text) = site.verify(&machine);
    eprintln!("{text}");
    assert_eq!(status, Some(1), "{text}");
    assert!(text.starts_with("FAIL"), "{text}");
    assert!(text.contains("secure-boot.off"), "{text}");
}

#[test]
#[ignore = "boots a machine: make test-boot"]
fn one_flipped_bit_of_the_kernel_image_does_not_boot() {
    let site = &*SITE;
    let machine = site.copy("flipped");
    let mut altered = site.uki.clone();
    let at = altered
        .windows(site.kernel.len().min(4096))
        .position(|window| window == &site.kernel[..4096])
        .unwrap();
    altered[at + site.kernel.len() / 2] ^= 1;
    fs::write(machine.work.join("uki"), altered).unwrap();
    let machine = Machine {
        disk: disk::system(&machine.work, &machine.work.join("uki"), &[]),
        ..machine
    };
    let end = machine.boot("one bit flipped", Some("Access Denied"));
    assert_eq!(end, End::Said, "{}", machine.console());
    assert_eq!(report(&machine), "");
}

#[test]
#[ignore = "boots a machine: make test-boot"]
fn a_credential_put_beside_the_image_keeps_the_root_closed() {
    let site = &*SITE;
    let machine = site.copy("credential");
    let credential = machine.work.join("credential");
    fs::write(&credential, b"casemate.debug=1").unwrap();
    let beside = [(
        "EFI/BOOT/BOOTX64.EFI.extra.d/debug.cred",
        credential.as_path(),
    )];
    let machine = Machine {
        disk: disk::system(&machine.work, &site.path("uki.signed"), &beside),
        ..machine
    };
    assert_eq!(machine.boot("a credential beside", None), End::Off);
    let report = report(&machine);
    assert!(report.contains("failed open: "), "{report}");
    assert!(report.contains("code tpm.beside;"), "{report}");
    assert_eq!(disk::get(&machine.stick, "evidence"), None);
    let log = disk::get(&machine.stick, "firmware.log").unwrap();
    let log = EventLog::parse(&log).unwrap();
    assert!(log.events().iter().any(|event| event.pcr == 12));
}
