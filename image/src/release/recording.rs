//! The recorded log: what firmware and systemd-stub would measure of a [`Boot`], event by event,
//! as a TCG PC Client PFP crypto-agile log with a SHA-256 bank.

use casemate_attest::predict::PeImage;
use sha2::{Digest as _, Sha256};

use super::boot::{Boot, SECURITY_DATABASE, Variable};

const EV_NO_ACTION: u32 = 0x03;
const EV_SEPARATOR: u32 = 0x04;
const EV_S_CRTM_VERSION: u32 = 0x08;
const EV_IPL: u32 = 0x0d;
const EV_EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
const EV_EFI_VARIABLE_BOOT: u32 = 0x8000_0002;
const EV_EFI_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
const EV_EFI_ACTION: u32 = 0x8000_0007;
const EV_EFI_PLATFORM_FIRMWARE_BLOB: u32 = 0x8000_0008;
const EV_EFI_VARIABLE_AUTHORITY: u32 = 0x8000_00e0;

struct Log(Vec<u8>);

/// The log.
#[must_use]
pub fn record(boot: &Boot) -> Vec<u8> {
    let mut log = Log(Vec::new());
    log.header();
    platform(&mut log, boot);
    secure_boot(&mut log, boot);
    // Before it boots anything, the firmware separates platform from operating system, in every
    // register but 4, where the boot option is announced first.
    log.event(
        4,
        EV_EFI_ACTION,
        b"Calling EFI Application from Boot Option",
    );
    for register in 0..8 {
        log.event(register, EV_SEPARATOR, &[0; 4]);
    }
    let authority = Variable {
        name: "db",
        guid: SECURITY_DATABASE,
        data: boot.authority.clone(),
    };
    log.event(7, EV_EFI_VARIABLE_AUTHORITY, &variable_data(&authority));
    loader(&mut log, boot);
    log.event(5, EV_EFI_ACTION, b"Exit Boot Services Invocation");
    log.event(
        5,
        EV_EFI_ACTION,
        b"Exit Boot Services Returned with Success",
    );
    log.0
}

/// PCR 0 to 3 and 6: firmware code and configuration. The stand has none; the texts say so.
fn platform(log: &mut Log, boot: &Boot) {
    log.event(0, EV_S_CRTM_VERSION, &utf16(boot.firmware));
    let code = format!("{}: code", boot.firmware);
    // A blob event's data is its address and length; its digest is over the blob.
    let blob = [0xff00_0000u64.to_le_bytes(), 0x1000u64.to_le_bytes()].concat();
    log.event_over(0, EV_EFI_PLATFORM_FIRMWARE_BLOB, code.as_bytes(), &blob);
    for (name, data) in [("BootOrder", vec![0, 0]), ("Boot0000", load_option())] {
        let variable = Variable {
            name,
            guid: super::boot::GLOBAL,
            data,
        };
        // PC Client PFP, section 3.3.4.2: for boot variables the digest is over the data alone.
        let logged = variable_data(&variable);
        log.event_over(1, EV_EFI_VARIABLE_BOOT, &variable.data, &logged);
    }
}

/// PCR 7 before the separator.
fn secure_boot(log: &mut Log, boot: &Boot) {
    for variable in &boot.variables {
        log.event(7, EV_EFI_VARIABLE_DRIVER_CONFIG, &variable_data(variable));
    }
}

/// PCR 4: the UKI; PCR 11: its stub measures the sections.
fn loader(log: &mut Log, boot: &Boot) {
    let uki = boot.uki();
    // UEFI_IMAGE_LOAD_EVENT: address, length, link address, device path.
    let mut load = 0x1000_0000u64.to_le_bytes().to_vec();
    load.extend(u64::try_from(uki.len()).unwrap_or(u64::MAX).to_le_bytes());
    load.extend(0u64.to_le_bytes());
    let path = loader_path();
    load.extend(u64::try_from(path.len()).unwrap_or(u64::MAX).to_le_bytes());
    load.extend(path);
    if let Ok(image) = PeImage::read(&uki) {
        let digest = image.authenticode();
        log.event_with(
            4,
            EV_EFI_BOOT_SERVICES_APPLICATION,
            digest.as_bytes(),
            &load,
        );
    }
    for (name, content) in &boot.sections {
        // The logged text is the section's name in UTF-16; the digests are over other bytes.
        let text = utf16(&format!("{name}\0"));
        let named = format!("{name}\0");
        log.event_over(11, EV_IPL, named.as_bytes(), &text);
        log.event_over(11, EV_IPL, content, &text);
    }
}

/// Where firmware looks for a loader: a file path node (UEFI 2.10, section 10.3.5.4) and the end.
fn loader_path() -> Vec<u8> {
    let file = utf16("\\EFI\\BOOT\\BOOTX64.EFI\0");
    let length = u16::try_from(file.len().saturating_add(4)).unwrap_or(u16::MAX);
    let mut path = vec![4, 4];
    path.extend(length.to_le_bytes());
    path.extend(file);
    path.extend([0x7f, 0xff, 4, 0]);
    path
}

/// `EFI_LOAD_OPTION` (UEFI 2.10, section 3.1.3) of that loader: active, named, its path.
fn load_option() -> Vec<u8> {
    let path = loader_path();
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    let mut option = 1u32.to_le_bytes().to_vec();
    option.extend(length.to_le_bytes());
    option.extend(utf16("casemate\0"));
    option.extend(path);
    option
}

/// `UEFI_VARIABLE_DATA`.
fn variable_data(variable: &Variable) -> Vec<u8> {
    let name = utf16(variable.name);
    let mut out = variable.guid.to_vec();
    out.extend(
        u64::try_from(name.len() / 2)
            .unwrap_or(u64::MAX)
            .to_le_bytes(),
    );
    out.extend(
        u64::try_from(variable.data.len())
            .unwrap_or(u64::MAX)
            .to_le_bytes(),
    );
    out.extend(name);
    out.extend(&variable.data);
    out
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

impl Log {
    /// The Spec ID event (section 10.4.5.1): version 2.0, one bank.
    fn header(&mut self) {
        let mut spec = b"Spec ID Event03\0".to_vec();
        spec.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        spec.extend(1u32.to_le_bytes());
        spec.extend(0x000bu16.to_le_bytes());
        spec.extend(32u16.to_le_bytes());
        spec.push(0);
        self.0.extend(0u32.to_le_bytes());
        self.0.extend(EV_NO_ACTION.to_le_bytes());
        self.0.extend([0; 20]);
        self.0
            .extend(u32::try_from(spec.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend(spec);
    }

    /// An event whose digest is over its data.
    fn event(&mut self, register: u32, kind: u32, data: &[u8]) {
        self.event_over(register, kind, data, data);
    }

    /// An event whose digest is over other bytes than its data.
    fn event_over(&mut self, register: u32, kind: u32, digested: &[u8], data: &[u8]) {
        self.event_with(register, kind, &Sha256::digest(digested).into(), data);
    }

    fn event_with(&mut self, register: u32, kind: u32, digest: &[u8; 32], data: &[u8]) {
        self.0.extend(register.to_le_bytes());
        self.0.extend(kind.to_le_bytes());
        self.0.extend(1u32.to_le_bytes());
        self.0.extend(0x000bu16.to_le_bytes());
        self.0.extend(digest);
        self.0
            .extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend(data);
    }
}
