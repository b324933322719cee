//! OVMF's variable store with our own keys enrolled, as a machine of ours is delivered.
//!
//! Layout: `EFI_FIRMWARE_VOLUME_HEADER`, `VARIABLE_STORE_HEADER`, then one
//! `AUTHENTICATED_VARIABLE_HEADER` each with name and data (edk2,
//! `MdeModulePkg/Include/Guid/VariableFormat.h`).

use casemate_attest::predict::pcr7::Databases;

/// `EFI_GLOBAL_VARIABLE_GUID`.
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
const SECURITY_DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];
/// `EFI_SECURE_BOOT_ENABLE_DISABLE`: edk2's own switch, which its setup menu writes.
const ENABLE: [u8; 16] = [
    0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45, 0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44,
];
/// Non-volatile, boot services, run time, time-based authenticated.
const AUTHENTICATED: u32 = 0x27;
/// Non-volatile, boot services.
const PLAIN: u32 = 0x3;
/// Where the first variable stands: after the volume's 72 and the store's 28 bytes.
const FIRST: usize = 100;

/// The empty store of the distribution with these databases and Secure Boot on.
///
/// # Errors
/// A sentence when `empty` is not an empty store.
pub(crate) fn enrolled(empty: &[u8], databases: &Databases) -> Result<Vec<u8>, String> {
    if empty.get(40..44) != Some(b"_FVH".as_slice()) || empty.get(FIRST) != Some(&0xff) {
        return Err("is not an empty variable store of OVMF".to_owned());
    }
    let mut out = empty.to_vec();
    let mut at = FIRST;
    for (name, guid, attributes, data) in [
        ("PK", GLOBAL, AUTHENTICATED, databases.pk.as_slice()),
        ("KEK", GLOBAL, AUTHENTICATED, &databases.kek),
        ("db", SECURITY_DATABASE, AUTHENTICATED, &databases.db),
        ("dbx", SECURITY_DATABASE, AUTHENTICATED, &databases.dbx),
        ("SecureBootEnable", ENABLE, PLAIN, &[1]),
    ] {
        let variable = variable(name, &guid, attributes, data);
        let end = at + variable.len();
        out.get_mut(at..end)
            .ok_or("is too small for our keys")?
            .copy_from_slice(&variable);
        at = end.next_multiple_of(4);
    }
    Ok(out)
}

fn variable(name: &str, guid: &[u8; 16], attributes: u32, data: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = name
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    // StartId, State VAR_ADDED, Reserved, Attributes, MonotonicCount, TimeStamp, PubKeyIndex.
    let mut out = vec![0xaa, 0x55, 0x3f, 0x00];
    out.extend(attributes.to_le_bytes());
    out.extend([0; 28]);
    out.extend(length(&name));
    out.extend(length(data));
    out.extend(guid);
    out.extend(name);
    out.extend(data);
    out
}
