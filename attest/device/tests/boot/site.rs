//! The site: a machine set up once, with what its owner and its auditor keep.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use casemate_attest::predict::pcr7::Databases;
use casemate_attest::predict::pcr11::Stub;
use casemate_attest::predict::{PeImage, pcr4, pcr7, pcr11};
use casemate_attest::release::ExpectedEvent;
use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use tempfile::TempDir;

use crate::firmware::Keys;
use crate::machine::{End, Machine};
use crate::tool::run;
use crate::{disk, expected, firmware, initrd, maker, uki};

const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
pub(crate) const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const COMMAND_LINE: &[u8] = b"console=ttyS0 panic=-1 loglevel=4 casemate.stick=/dev/vdb";
const OS_RELEASE: &[u8] = b"ID=casemate\nVERSION_ID=0.1.0\nVARIANT_ID=boot-test\n";

/// What `make test-boot` prepared.
pub(crate) fn prepared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../var/boot")
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run make test-boot, which makes it",
            path.display()
        )
    })
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32].into()).unwrap()
}

/// The machine after its first boot, set up, with what the owner and the auditor keep.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) machine: Machine,
    pub(crate) keys: Keys,
    pub(crate) kernel: Vec<u8>,
    pub(crate) uki: Vec<u8>,
    /// By this test's own arithmetic.
    pub(crate) expected: [(u8, Vec<ExpectedEvent>); 3],
    /// By the code that releases are made with; the manifest says these.
    pub(crate) predicted: [(u8, Vec<ExpectedEvent>); 3],
}

/// Made once: two emulated boots are saved for each further test.
pub(crate) static SITE: LazyLock<Site> = LazyLock::new(Site::set_up);

impl Site {
    fn set_up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path();
        let kernel = kernel();
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
        let predicted = predicted(&uki, &keys);
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
        maker::make(work, &machine.tpm);
        let site = Self {
            folder,
            machine,
            keys,
            kernel,
            uki,
            expected,
            predicted,
        };
        site.fill_stick();
        assert_eq!(site.machine.boot("first boot", None), End::Off);
        site.enrol();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The release, and the keys that the root is sealed to.
    fn fill_stick(&self) {
        let release = expected::release(&self.predicted, &key(1));
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
            "swtpm-ca",
            "--ek-root",
            "maker-root.pem",
            "--ek-intermediate",
            "maker-intermediate.pem",
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
    pub(crate) fn attest(&self, arguments: &[&str]) -> (Option<i32>, String) {
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
    pub(crate) fn verify(&self, machine: &Machine) -> (Option<i32>, String) {
        for name in ["evidence", "audit"] {
            let bytes = disk::get(&machine.stick, name).unwrap();
            fs::write(self.path(name), bytes).unwrap();
        }
        self.judge()
    }

    /// The verdict over what [`Site::verify`] took off the stick.
    pub(crate) fn judge(&self) -> (Option<i32>, String) {
        self.attest(&[
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
            "evidence",
        ])
    }

    /// The same machine, its TPM, variables and stick as they are now, to be tampered with.
    pub(crate) fn copy(&self, name: &str) -> Machine {
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

/// Registers 4, 7 and 11 from the image and the key databases alone.
fn predicted(uki: &[u8], keys: &Keys) -> [(u8, Vec<ExpectedEvent>); 3] {
    let image = PeImage::read(uki).unwrap();
    let value = |name: &str| {
        let variables = keys.variables();
        let found = variables.iter().find(|variable| variable.name == name);
        found.unwrap().data.clone()
    };
    let databases = Databases {
        pk: value("PK"),
        kek: value("KEK"),
        db: value("db"),
        dbx: value("dbx"),
    };
    [
        (4, pcr4::predict(&[("UKI", &image)])),
        (7, pcr7::predict(&databases, &image).unwrap()),
        (11, pcr11::predict(&image, Stub::V252).unwrap()),
    ]
}

/// Debian's kernel.
fn kernel() -> Vec<u8> {
    let boot = prepared().join("kernel/boot");
    let named = |path: &PathBuf| path.to_str().unwrap().contains("/vmlinuz-");
    fs::read_dir(&boot)
        .unwrap_or_else(|error| panic!("{}: {error}; run make test-boot", boot.display()))
        .map(|entry| entry.unwrap().path())
        .find(named)
        .map(|path| read(&path))
        .expect("a kernel")
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

pub(crate) fn report(machine: &Machine) -> String {
    let report = disk::get(&machine.stick, "report").unwrap_or_default();
    String::from_utf8(report).unwrap()
}
