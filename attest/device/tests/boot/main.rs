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
mod tool;
mod uki;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use casemate_attest::digest::Digest;
use casemate_attest::eventlog::EventLog;
use casemate_attest::release::ExpectedEvent;
use casemate_device::SiteApproval;
use firmware::Keys;
use machine::{End, Machine};
use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use tempfile::TempDir;
use tool::run;

const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const COMMAND_LINE: &[u8] = b"console=ttyS0 panic=-1 loglevel=4 casemate.stick=/dev/vdb";
const OS_RELEASE: &[u8] = b"ID=casemate\nVERSION_ID=0.1.0\nVARIANT_ID=boot-test\n";

/// What `make test-boot` prepared.
fn prepared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../var/boot")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run make test-boot, which makes it",
            path.display()
        )
    })
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32].into()).unwrap()
}

/// The machine after its first boot, set up, with what the owner and the auditor keep.
struct Site {
    folder: TempDir,
    machine: Machine,
    keys: Keys,
    kernel: Vec<u8>,
    uki: Vec<u8>,
    expected: [(u8, Vec<ExpectedEvent>); 3],
}

/// Made once: two emulated boots are saved for each further test.
static SITE: LazyLock<Site> = LazyLock::new(Site::set_up);

impl Site {
    fn set_up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path();
        let boot = prepared().join("kernel/boot");
        let kernel = fs::read_dir(&boot)
            .unwrap_or_else(|error| panic!("{}: {error}; run make test-boot", boot.display()))
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with("vmlinuz")
            })
            .map(|path| read(&path))
            .expect("a kernel");
        let guest = prepared().join("guest");
        let modules = prepared().join("kernel/lib/modules");
        let initrd = initrd::build(&guest.join("guest"), &guest.join("unseal"), &modules);
        let sections: [(&str, &[u8]); 4] = [
            (".osrel", OS_RELEASE),
            (".cmdline", COMMAND_LINE),
            (".initrd", &initrd),
            (".linux", &kernel),
        ];
        fs::write(
            work.join("uki"),
            uki::build(&read(Path::new(STUB)), &sections),
        )
        .unwrap();
        let keys = make_keys(work);
        sign(work, "uki", "uki.signed");
        let uki = read(&work.join("uki.signed"));
        let expected = [
            (4, expected::pcr4(&uki)),
            (7, expected::pcr7(&keys)),
            (11, expected::pcr11(&sections)),
        ];
        let machine = Machine {
            work: work.to_path_buf(),
            tpm: work.join("tpm"),
            variables: work.join("variables.fd"),
            disk: disk::system(work, &work.join("uki.signed"), &[]),
            stick: work.join("stick.img"),
        };
        let empty = read(Path::new(VARIABLES));
        fs::write(&machine.variables, firmware::store(&empty, &keys, true)).unwrap();
        disk::fat(&machine.stick, 32, "STICK");
        let site = Self {
            folder,
            machine,
            keys,
            kernel,
            uki,
            expected,
        };
        site.fill_stick();
        assert_eq!(site.machine.boot("first boot", None), End::Off);
        site.enrol();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The release, and the keys that the root is sealed to.
    fn fill_stick(&self) {
        let release = expected::release(&self.expected, &key(1));
        let pem = |key: SigningKey| {
            let key = key.verifying_key().to_public_key_pem(LineEnding::LF);
            key.unwrap().into_bytes()
        };
        for (name, bytes) in [
            ("release.cose", release),
            ("release.pub", pem(key(1))),
            ("site.pub", pem(key(2))),
        ] {
            fs::write(self.path(name), bytes).unwrap();
            disk::put(&self.machine.stick, &self.path(name), name);
        }
        disk::folder(&self.machine.stick, "state");
    }

    /// The owner signs the request; the auditor asks.
    fn enrol(&self) {
        let report = report(&self.machine);
        assert!(
            report.contains("done enrolment-request"),
            "{report}\n{}",
            self.machine.console()
        );
        let request = disk::get(&self.machine.stick, "enrolment-request").unwrap();
        fs::write(self.path("enrolment-request"), request).unwrap();
        self.attest(&[
            "enrol",
            "--request",
            "enrolment-request",
            "--owner-key",
            "owner",
            "--create-owner-key",
            "--root",
            "development",
            "--label",
            "boot test",
            "--out",
            "enrolment",
        ]);
        self.attest(&[
            "challenge",
            "--enrolment",
            "enrolment",
            "--owner-key",
            "owner.pub",
            "--label",
            "boot test",
            "--hours",
            "8760",
            "--out",
            "challenge",
        ]);
        disk::put(&self.machine.stick, &self.path("challenge"), "challenge");
    }

    /// Runs `attest` in the site's folder; status and standard output.
    fn attest(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_unseal")).with_file_name("attest");
        let done = Command::new(&program)
            .current_dir(self.folder.path())
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.stderr.is_empty(), "attest {arguments:?}: {errors}");
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    }

    /// The verdict over the evidence on a machine's stick.
    fn verify(&self, machine: &Machine, more: &[&str]) -> (Option<i32>, String) {
        let evidence = disk::get(&machine.stick, "evidence").unwrap();
        let audit = disk::get(&machine.stick, "audit").unwrap();
        fs::write(self.path("evidence"), evidence).unwrap();
        fs::write(self.path("audit"), audit).unwrap();
        let arguments = [
            "verify",
            "--enrolment",
            "enrolment",
            "--owner-key",
            "owner.pub",
            "--release-key",
            "release.pub",
            "--challenge",
            "challenge",
            "--audit",
            "audit",
            "--accept-development",
        ];
        self.attest(&[&arguments, more, &["evidence"]].concat())
    }

    /// The same machine, its TPM, variables and stick as they are now, to be tampered with.
    fn copy(&self, name: &str) -> Machine {
        let work = self.path(name);
        fs::create_dir_all(work.join("tpm")).unwrap();
        for entry in fs::read_dir(&self.machine.tpm).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, work.join("tpm").join(path.file_name().unwrap())).unwrap();
        }
        let file = |from: &Path, name: &str| {
            fs::copy(from, work.join(name)).unwrap();
            work.join(name)
        };
        let machine = Machine {
            tpm: work.join("tpm"),
            variables: file(&self.machine.variables, "variables.fd"),
            disk: file(&self.machine.disk, "disk.img"),
            stick: file(&self.machine.stick, "stick.img"),
            work,
        };
        for old in ["report", "evidence", "firmware.log"] {
            disk::remove(&machine.stick, old);
        }
        machine
    }
}

/// Platform, exchange and signature keys of our own.
fn make_keys(work: &Path) -> Keys {
    let path = |name: String| work.join(name).to_str().unwrap().to_owned();
    let make = |name: &str| {
        let (key, pem) = (path(format!("{name}.key")), path(format!("{name}.pem")));
        let subject = format!("/CN=Casemate boot test {name}");
        run(
            "openssl",
            &[
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650",
                "-subj", &subject, "-keyout", &key, "-out", &pem,
            ],
        );
        run("openssl", &["x509", "-in", &pem, "-outform", "DER"])
    };
    Keys {
        pk: make("pk"),
        kek: make("kek"),
        db: make("db"),
    }
}

/// Signs a PE file with the db key.
fn sign(work: &Path, from: &str, to: &str) {
    let path = |name: &str| work.join(name).to_str().unwrap().to_owned();
    run(
        "osslsigncode",
        &[
            "sign",
            "-certs",
            &path("db.pem"),
            "-key",
            &path("db.key"),
            "-h",
            "sha256",
            "-in",
            &path(from),
            "-out",
            &path(to),
        ],
    );
}

fn report(machine: &Machine) -> String {
    let report = disk::get(&machine.stick, "report").unwrap_or_default();
    String::from_utf8(report).unwrap()
}

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
    for (register, events) in &site.expected {
        // The phase is measured by the initrd, and is in the run-time log.
        let firmware = events.iter().filter(|event| event.name != "enter-initrd");
        assert_log(&log, *register, &firmware.cloned().collect::<Vec<_>>());
    }
    let (status, text) = site.verify(&site.machine, &[]);
    eprintln!("{text}");
    assert!(text.contains("PASS (development root)"), "{text}");
    assert_eq!(status, Some(0));
    keep(site, &log);
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
    let (status, text) = site.verify(&machine, &[]);
    eprintln!("{text}");
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("FAIL"), "{text}");
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
