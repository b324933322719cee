//! Logs to try the parsers with: a genuine one of OVMF, and makers of others.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

pub(crate) const NO_ACTION: u32 = 3;
pub(crate) const SEPARATOR: u32 = 4;
pub(crate) const ACTION: u32 = 5;
pub(crate) const TAG: u32 = 6;
pub(crate) const VERSION: u32 = 8;
pub(crate) const IPL: u32 = 0x0d;
pub(crate) const DRIVER_CONFIG: u32 = 0x8000_0001;
pub(crate) const BOOT: u32 = 0x8000_0002;
pub(crate) const APPLICATION: u32 = 0x8000_0003;
pub(crate) const GPT: u32 = 0x8000_0006;
pub(crate) const EFI_ACTION: u32 = 0x8000_0007;
pub(crate) const HCRTM: u32 = 0x8000_0010;
pub(crate) const AUTHORITY: u32 = 0x8000_00e0;

pub(crate) const SHA1: u16 = 4;
pub(crate) const SHA256: u16 = 0x0b;

/// The log of a boot of OVMF with Secure Boot under QEMU and swtpm, as the kernel hands it out:
/// recorded as tests/vectors/ovmf-secboot was, and kept here as it is.
pub(crate) fn genuine() -> Vec<u8> {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    fs::read(logs.join("ovmf.log")).unwrap()
}

fn le(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

/// A header that declares these banks.
pub(crate) fn header(banks: &[(u16, u16)]) -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend([0, 0, 0, 0, 0, 2, 106, 2]);
    spec.extend(le(banks.len()));
    for (bank, size) in banks {
        spec.extend(bank.to_le_bytes());
        spec.extend(size.to_le_bytes());
    }
    spec.push(0);
    old_event(0, NO_ACTION, &[0; 20], &spec)
}

/// `TCG_PCR_EVENT`.
pub(crate) fn old_event(pcr: u32, kind: u32, digest: &[u8], data: &[u8]) -> Vec<u8> {
    [
        &pcr.to_le_bytes(),
        &kind.to_le_bytes(),
        digest,
        &le(data.len()),
        data,
    ]
    .concat()
}

/// `TCG_PCR_EVENT2` with these digests.
pub(crate) fn event(pcr: u32, kind: u32, digests: &[(u16, &[u8])], data: &[u8]) -> Vec<u8> {
    let mut event = [pcr.to_le_bytes(), kind.to_le_bytes(), le(digests.len())].concat();
    for (bank, digest) in digests {
        event.extend(bank.to_le_bytes());
        event.extend(*digest);
    }
    event.extend(le(data.len()));
    event.extend(data);
    event
}

/// `TCG_PCR_EVENT2` with a SHA-256 digest of something.
pub(crate) fn measured(pcr: u32, kind: u32, what: &[u8], data: &[u8]) -> Vec<u8> {
    event(pcr, kind, &[(SHA256, &Sha256::digest(what))], data)
}

/// An event that extends nothing.
pub(crate) fn no_action(pcr: u32, data: &[u8]) -> Vec<u8> {
    event(pcr, NO_ACTION, &[(SHA256, &[0; 32])], data)
}

/// A log with SHA-256 alone, each digest over the payload.
pub(crate) fn agile(events: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
    let mut log = header(&[(SHA256, 32)]);
    for (pcr, kind, data) in events {
        log.extend(measured(*pcr, *kind, data, data));
    }
    log
}

/// A log of these whole events, with SHA-256 alone.
pub(crate) fn of_events(events: &[Vec<u8>]) -> Vec<u8> {
    [header(&[(SHA256, 32)]), events.concat()].concat()
}

/// `UEFI_VARIABLE_DATA`.
pub(crate) fn variable(vendor: [u8; 16], name: &str, value: &[u8]) -> Vec<u8> {
    let units: Vec<u8> = utf16(name);
    let (count, size) = (units.len() as u64 / 2, value.len() as u64);
    [
        &vendor[..],
        &count.to_le_bytes(),
        &size.to_le_bytes(),
        &units,
        value,
    ]
    .concat()
}

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// `EFI_GLOBAL_VARIABLE`.
pub(crate) const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
/// `EFI_IMAGE_SECURITY_DATABASE`.
pub(crate) const SECURITY: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];

/// A log of the old SHA-1 form, with its header.
pub(crate) fn old_form() -> Vec<u8> {
    let mut spec = b"Spec ID Event02\0".to_vec();
    spec.extend([0, 0, 0, 0, 2, 1, 2, 2, 0]);
    let of = |pcr, kind, data: &[u8]| old_event(pcr, kind, &Sha1::digest(data), data);
    [
        old_event(0, NO_ACTION, &[0; 20], &spec),
        of(0, VERSION, b"1.0"),
        of(7, DRIVER_CONFIG, &variable(GLOBAL, "SecureBoot", &[1])),
        of(4, EFI_ACTION, b"Calling EFI Application from Boot Option"),
        of(4, SEPARATOR, &[0; 4]),
    ]
    .concat()
}

/// A record of systemd, with SHA-256 and SHA-1 digests of what was measured.
pub(crate) fn record(pcr: u8, kind: &str, string: &str, what: &[u8]) -> Vec<u8> {
    let digest = |name: &str, digest: &[u8]| {
        let hexadecimal = hex::encode(digest);
        format!("{{\"hashAlg\":\"{name}\",\"digest\":\"{hexadecimal}\"}}")
    };
    let digests = [
        digest("sha1", &Sha1::digest(what)),
        digest("sha256", &Sha256::digest(what)),
    ];
    let digests = digests.join(",");
    format!(
        "\x1e{{\"pcr\":{pcr},\"digests\":[{digests}],\"content_type\":\"systemd\",\"content\":\
         {{\"string\":\"{string}\",\"bootId\":\"4a6d2b9c1f0e4c0f9d3a7b5e8c2d1f60\",\
         \"timestamp\":1834912,\"eventType\":\"{kind}\"}}}}\n"
    )
    .into_bytes()
}

/// systemd's log of a boot up to its target.
pub(crate) fn systemd_log() -> Vec<u8> {
    let key = "cryptsetup:root:6c1f3f4e-0c49-4c63-8f0e-2a8a7b6f5d4c";
    let machine = "machine-id:0123456789abcdef0123456789abcdef";
    [
        record(11, "phase", "enter-initrd", b"enter-initrd"),
        record(15, "volume-key", key, b"keyed"),
        record(11, "phase", "leave-initrd", b"leave-initrd"),
        record(15, "machine-id", machine, machine.as_bytes()),
        record(11, "phase", "sysinit", b"sysinit"),
        record(11, "phase", "ready", b"ready"),
    ]
    .concat()
}
