//! A small recorded boot, measured into a swtpm, with a development release.

use std::path::Path;

use casemate_attest::digest::Digest;
use casemate_attest::evidence::POLICY_PCRS;
use casemate_attest::release::{BootRules, ExpectedEvent, Reference, Release, ReleaseParts, Rule};
use casemate_attest::sealing;
use casemate_device::swtpm::Swtpm;
use casemate_device::{
    Opened, Opening, ProvisionError, Provisioning, RecoveryKey, RuntimeLog, Tpm,
};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};

struct BootEvent {
    register: u8,
    kind: u32,
    data: Vec<u8>,
}

fn event(register: u8, kind: u32, data: &[u8]) -> BootEvent {
    BootEvent {
        register,
        kind,
        data: data.to_vec(),
    }
}

/// `UEFI_VARIABLE_DATA` of a variable of Secure Boot. What is no flag becomes a list of one
/// certificate.
fn variable(name: &str, value: &[u8]) -> BootEvent {
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

fn boot() -> Vec<BootEvent> {
    let mut events = vec![
        event(0, 8, b"firmware"),
        event(1, 9, b"configuration"),
        variable("SecureBoot", &[1]),
        variable("PK", b"platform key"),
        variable("KEK", b"exchange key"),
        variable("db", b"allowed"),
        variable("dbx", b"revoked"),
    ];
    events.extend((0..8).map(|register| event(register, 4, &[0; 4])));
    events.push(authority(b"allowed"));
    events.push(event(4, 0x8000_0003, b"loader"));
    events.push(event(11, 13, b".linux kernel"));
    events
}

/// A crypto-agile log with a SHA-256 bank.
fn log(events: &[BootEvent]) -> Vec<u8> {
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

/// The key that signs the bed's releases.
pub(crate) fn release_key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32].into()).unwrap()
}

/// The key that approves changes of the bed's platform.
pub(crate) fn site_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32].into()).unwrap()
}

fn release(events: &[BootEvent], number: u64, key: &SigningKey) -> Vec<u8> {
    let expected = |name: &str, kind: u32, data: &[u8]| ExpectedEvent {
        name: name.to_owned(),
        event_type: kind,
        digests: vec![Digest::of(data)],
    };
    let references = POLICY_PCRS.map(|pcr| {
        let events = match pcr {
            11 => events
                .iter()
                .filter(|event| event.register == 11)
                .map(|event| expected("measured", event.kind, &event.data))
                .chain([expected(
                    "enter-initrd",
                    sealing::EV_IPL,
                    sealing::ENTER_INITRD,
                )])
                .collect(),
            15 => vec![expected(
                "unseal",
                sealing::EV_EVENT_TAG,
                &sealing::unseal_event(number),
            )],
            _ => Vec::new(),
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
    let hash = sealing::authorization_hash(&approved, sealing::RELEASE_REF);
    let signature: Signature = key.sign_prehash(&hash).unwrap();
    let parts = ReleaseParts {
        product: "casemate".to_owned(),
        version: format!("0.{number}"),
        number,
        development: true,
        not_after_ms: u64::MAX,
        initrd_pcr11,
        references: references.to_vec(),
        pcr_policy_signature: signature.to_bytes().into(),
        boot: BootRules {
            exit_boot_services: false,
            failed_attempts: 0,
        },
    };
    Release::new(parts, key.verifying_key()).sign(key).unwrap()
}

/// Starts and provisions the TPM, opens the root. Leaves firmware.log,
/// runtime.log and release.cose in the directory.
pub(crate) fn open_root(swtpm: &Swtpm, directory: &Path) -> Opened {
    open_by(swtpm, directory, casemate_device::provision)
}

/// The same on another TPM, with the state's root, from a recovery key.
pub(crate) fn recover_root(swtpm: &Swtpm, directory: &Path, key: &RecoveryKey) -> Opened {
    std::fs::remove_file(directory.join("runtime.log")).unwrap();
    open_by(swtpm, directory, |tpm, provisioning| {
        casemate_device::recover(tpm, provisioning, key)
    })
}

fn open_by(
    swtpm: &Swtpm,
    directory: &Path,
    seal: impl FnOnce(&Tpm, Provisioning<'_>) -> Result<(), ProvisionError>,
) -> Opened {
    let events = boot();
    let (key, site) = (release_key(), site_key());
    let release = release(&events, 5, &key);
    let path = |name: &str| directory.join(name);
    std::fs::write(path("firmware.log"), log(&events)).unwrap();
    std::fs::write(path("release.cose"), &release).unwrap();
    let tpm = swtpm.open().unwrap();
    tpm.measured_start(&log(&events), &RuntimeLog::at(&path("runtime.log")))
        .unwrap();
    seal(
        &tpm,
        Provisioning {
            state: &path("state/tpm"),
            release: &release,
            release_key: key.verifying_key(),
            site_key: site.verifying_key(),
            firmware_log: &log(&events),
        },
    )
    .unwrap();
    casemate_device::open_whole(
        &tpm,
        Opening {
            state: &path("state/tpm"),
            release: &release,
            runtime_log: &path("runtime.log"),
            raise_floor: false,
        },
    )
    .unwrap()
}
