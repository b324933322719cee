//! A test bed: a fresh swtpm in a temporary directory, a small recorded boot, keys, a release.
#![allow(dead_code, reason = "each test file uses its own part of the bed")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

pub(crate) mod raw;
pub(crate) mod tap;

use std::path::{Path, PathBuf};

use casemate_attest::digest::Digest;
use casemate_attest::evidence::POLICY_PCRS;
use casemate_attest::release::{BootRules, ExpectedEvent, Reference, Release, ReleaseParts, Rule};
use casemate_attest::sealing;
use casemate_device::swtpm::Swtpm;
use casemate_device::{
    Handover, Opened, Opening, ProvisionError, Provisioning, RecoveryKey, RuntimeLog, Tpm,
    UnsealError,
};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};

/// One event of the recorded boot.
#[derive(Clone)]
pub(crate) struct BootEvent {
    pub(crate) register: u8,
    pub(crate) kind: u32,
    pub(crate) data: Vec<u8>,
}

pub(crate) fn event(register: u8, kind: u32, data: &[u8]) -> BootEvent {
    BootEvent {
        register,
        kind,
        data: data.to_vec(),
    }
}

/// `UEFI_VARIABLE_DATA` of a variable of Secure Boot. What is no flag becomes a list of one
/// certificate.
pub(crate) fn variable(name: &str, value: &[u8]) -> BootEvent {
    let value = match name {
        "SecureBoot" => value.to_vec(),
        _ if value.is_empty() => Vec::new(),
        _ => certificates(value),
    };
    event(7, 0x8000_0001, &variable_data(name, &value))
}

/// What allowed the image: an entry of db.
fn authority(value: &[u8]) -> BootEvent {
    let entry = [&[0; 16], value].concat();
    event(7, 0x8000_00e0, &variable_data("db", &entry))
}

/// `EFI_SIGNATURE_LIST` of one certificate.
fn certificates(value: &[u8]) -> Vec<u8> {
    let entry = u32::try_from(value.len()).unwrap() + 16;
    let mut list = vec![
        0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0,
        0x72,
    ];
    for size in [28 + entry, 0, entry] {
        list.extend(size.to_le_bytes());
    }
    list.extend([0; 16]);
    list.extend(value);
    list
}

fn variable_data(name: &str, value: &[u8]) -> Vec<u8> {
    let mut data = match name {
        "db" | "dbx" => vec![
            0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67,
            0x65, 0x6f,
        ],
        _ => vec![
            0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0, 0xe0, 0x98, 0x03, 0x2b,
            0x8c,
        ],
    };
    let units: Vec<u16> = name.encode_utf16().collect();
    data.extend(u64::try_from(units.len()).unwrap().to_le_bytes());
    data.extend(u64::try_from(value.len()).unwrap().to_le_bytes());
    data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    data.extend(value);
    data
}

pub(crate) fn separator(register: u8) -> BootEvent {
    event(register, 4, &[0; 4])
}

/// A boot with Secure Boot on and PCR 11 as of entering the initrd.
pub(crate) fn boot() -> Vec<BootEvent> {
    let mut events = vec![
        event(0, 8, b"firmware"),
        event(1, 9, b"configuration"),
        variable("SecureBoot", &[1]),
        variable("PK", b"platform key"),
        variable("KEK", b"exchange key"),
        variable("db", b"allowed"),
        variable("dbx", b"revoked"),
    ];
    events.extend((0..8).map(separator));
    events.push(authority(b"allowed"));
    events.push(event(4, 0x8000_0003, b"loader"));
    events.push(event(11, 13, b".linux kernel"));
    events
}

/// A crypto-agile log with a SHA-256 bank.
pub(crate) fn log(events: &[BootEvent]) -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    spec.extend([1, 0, 0, 0, 0x0B, 0, 32, 0, 0]);
    let mut out = vec![0; 4];
    out.extend(3u32.to_le_bytes());
    out.extend([0; 20]);
    out.extend(u32::try_from(spec.len()).unwrap().to_le_bytes());
    out.extend(spec);
    for event in events {
        out.extend(u32::from(event.register).to_le_bytes());
        out.extend(event.kind.to_le_bytes());
        out.extend([1, 0, 0, 0, 0x0B, 0]);
        out.extend(Digest::of(&event.data).as_bytes());
        out.extend(u32::try_from(event.data.len()).unwrap().to_le_bytes());
        out.extend(&event.data);
    }
    out
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32].into()).unwrap()
}

fn signer_public(key: &SigningKey) -> Vec<u8> {
    let point = key.verifying_key().to_encoded_point(false);
    let (x, y) = (*point.x().unwrap(), *point.y().unwrap());
    sealing::signer_public(&x.into(), &y.into())
}

/// Signs a policy approval.
pub(crate) fn approve(key: &SigningKey, approved: [u8; 32], reference: &[u8]) -> [u8; 64] {
    let hash = sealing::authorization_hash(&approved, reference);
    let signature: Signature = key.sign_prehash(&hash).unwrap();
    signature.to_bytes().into()
}

/// A release whose PCR 11 is that of the given boot.
pub(crate) fn release(events: &[BootEvent], number: u64, key: &SigningKey) -> Vec<u8> {
    release_approved_by(events, number, key, key)
}

/// The same, its policy approved by a key that need not be the release key.
pub(crate) fn release_approved_by(
    events: &[BootEvent],
    number: u64,
    key: &SigningKey,
    approver: &SigningKey,
) -> Vec<u8> {
    let references = POLICY_PCRS.map(|pcr| {
        let events: Vec<ExpectedEvent> = events
            .iter()
            .filter(|event| event.register == pcr && pcr == 11)
            .map(|event| ExpectedEvent {
                name: "measured".to_owned(),
                event_type: event.kind,
                digests: vec![Digest::of(&event.data)],
            })
            .collect();
        let phase = ExpectedEvent {
            name: "enter-initrd".to_owned(),
            event_type: sealing::EV_IPL,
            digests: vec![Digest::of(sealing::ENTER_INITRD)],
        };
        let opened = ExpectedEvent {
            name: "unseal".to_owned(),
            event_type: sealing::EV_EVENT_TAG,
            digests: vec![Digest::of(&sealing::unseal_event(number))],
        };
        let events = match pcr {
            11 => events.into_iter().chain([phase]).collect(),
            15 => vec![opened],
            _ => events,
        };
        let rule = if pcr > 7 {
            Rule::Events
        } else {
            Rule::Enrolled
        };
        Reference {
            pcr,
            bank: 0x000B,
            rule,
            events,
            tail: Vec::new(),
        }
    });
    let initrd_pcr11 = references.iter().find(|r| r.pcr == 11).unwrap().value();
    let approved = sealing::release_approved(*initrd_pcr11.as_bytes(), number);
    let parts = ReleaseParts {
        product: "casemate".to_owned(),
        version: format!("0.{number}"),
        number,
        development: true,
        not_after_ms: u64::MAX,
        initrd_pcr11,
        references: references.to_vec(),
        pcr_policy_signature: approve(approver, approved, sealing::RELEASE_REF),
        boot: BootRules {
            exit_boot_services: false,
            failed_attempts: 0,
        },
    };
    Release::new(parts, key.verifying_key()).sign(key).unwrap()
}

/// The bed. The fields a test changes are public.
pub(crate) struct Bed {
    pub(crate) swtpm: Option<Swtpm>,
    pub(crate) boot: Vec<BootEvent>,
    pub(crate) release_key: SigningKey,
    pub(crate) site_key: SigningKey,
    pub(crate) number: u64,
    pub(crate) directory: tempfile::TempDir,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bed = Self {
            swtpm: None,
            boot: boot(),
            release_key: key(1),
            site_key: key(2),
            number: 5,
            directory,
        };
        bed.powered()
    }

    fn powered(mut self) -> Self {
        self.power("tpm");
        self
    }

    fn power(&mut self, name: &str) {
        let (state, socket) = (self.path(name), self.path("tpm.sock"));
        self.swtpm = Some(Swtpm::start(&state, &socket).unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Off and on again, not yet started.
    pub(crate) fn reset(&mut self) {
        self.swtpm.take().unwrap().stop();
        self.power("tpm");
    }

    /// Off, and on again with another TPM's state.
    pub(crate) fn swap_tpm(&mut self) {
        self.swtpm.take().unwrap().stop();
        self.power("other-tpm");
    }

    pub(crate) fn tpm(&self) -> Tpm {
        self.swtpm.as_ref().unwrap().open().unwrap()
    }

    /// The measured start of the bed's boot.
    pub(crate) fn start(&self) -> Tpm {
        let tpm = self.tpm();
        tpm.measured_start(&log(&self.boot), &self.runtime_log())
            .unwrap();
        tpm
    }

    pub(crate) fn runtime_log(&self) -> RuntimeLog {
        RuntimeLog::at(&self.path("runtime.log"))
    }

    pub(crate) fn release(&self) -> Vec<u8> {
        release(&self.boot, self.number, &self.release_key)
    }

    pub(crate) fn provision(&self, tpm: &Tpm) -> Result<(), ProvisionError> {
        self.provision_with(tpm, &log(&self.boot), &self.release())
    }

    pub(crate) fn provision_with(
        &self,
        tpm: &Tpm,
        firmware_log: &[u8],
        release: &[u8],
    ) -> Result<(), ProvisionError> {
        let state = self.path("state");
        casemate_device::provision(tpm, self.provisioning(&state, firmware_log, release))
    }

    fn provisioning<'a>(
        &'a self,
        state: &'a Path,
        firmware_log: &'a [u8],
        release: &'a [u8],
    ) -> Provisioning<'a> {
        Provisioning {
            state,
            release,
            release_key: self.release_key.verifying_key(),
            site_key: self.site_key.verifying_key(),
            firmware_log,
        }
    }

    pub(crate) fn recover(&self, tpm: &Tpm, key: &RecoveryKey) -> Result<(), ProvisionError> {
        let (state, log, release) = (self.path("state"), log(&self.boot), self.release());
        casemate_device::recover(tpm, self.provisioning(&state, &log, &release), key)
    }

    pub(crate) fn open_whole(&self, tpm: &Tpm) -> Result<Opened, UnsealError> {
        casemate_device::open_whole(
            tpm,
            Opening {
                state: &self.path("state"),
                release: &self.release(),
                runtime_log: &self.path("runtime.log"),
                raise_floor: false,
            },
        )
    }

    pub(crate) fn open(&self, tpm: &Tpm) -> Result<Handover, UnsealError> {
        self.open_with(tpm, &self.release(), false)
    }

    pub(crate) fn open_with(
        &self,
        tpm: &Tpm,
        release: &[u8],
        raise_floor: bool,
    ) -> Result<Handover, UnsealError> {
        casemate_device::open(
            tpm,
            Opening {
                state: &self.path("state"),
                release,
                runtime_log: &self.path("runtime.log"),
                raise_floor,
            },
        )
    }

    /// The release key as the TPM is shown it.
    pub(crate) fn signer_public(&self) -> Vec<u8> {
        signer_public(&self.release_key)
    }

    /// The site key as the TPM is shown it.
    pub(crate) fn site_public(&self) -> Vec<u8> {
        signer_public(&self.site_key)
    }

    /// Nothing is left loaded.
    pub(crate) fn assert_clean(&self, tpm: &Tpm) {
        assert_eq!(tpm.loaded().unwrap(), casemate_device::Loaded::default());
    }
}
