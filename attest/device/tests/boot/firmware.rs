//! OVMF's variable store with our own keys, as a fresh machine of ours would be delivered.
//!
//! Layout: `EFI_FIRMWARE_VOLUME_HEADER`, `VARIABLE_STORE_HEADER`, then one
//! `AUTHENTICATED_VARIABLE_HEADER` each with name and data (edk2,
//! `MdeModulePkg/Include/Guid/VariableFormat.h`).

use casemate_attest::digest::Digest;

pub(crate) const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
pub(crate) const SECURITY_DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];
/// `EFI_SECURE_BOOT_ENABLE_DISABLE`: edk2's own switch, which its setup menu writes.
const ENABLE: [u8; 16] = [
    0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45, 0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44,
];
const CERT_X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];
const CERT_SHA256: [u8; 16] = [
    0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28,
];
const OWNER: [u8; 16] = [
    0x5b, 0x1e, 0x9a, 0xc4, 0x77, 0x20, 0x3d, 0x4f, 0x8e, 0x61, 0x0c, 0xd2, 0x9b, 0x53, 0xe7, 0x18,
];
/// Non-volatile, boot services, run time, time-based authenticated.
const AUTHENTICATED: u32 = 0x27;
/// Where the first variable stands: after the volume's 72 and the store's 28 bytes.
const FIRST: usize = 100;

/// A UEFI variable that is measured into PCR 7.
#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) guid: [u8; 16],
    pub(crate) data: Vec<u8>,
}

/// Keys as DER certificates, in the form in which the firmware keeps them.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) pk: Vec<u8>,
    pub(crate) kek: Vec<u8>,
    pub(crate) db: Vec<u8>,
}

impl Keys {
    /// PK, KEK, db, dbx in the order of their measurement.
    pub(crate) fn variables(&self) -> Vec<Variable> {
        let certificate = |der: &[u8]| list(&CERT_X509, &owned(der));
        let variable = |name, guid, data| Variable { name, guid, data };
        vec![
            variable("PK", GLOBAL, certificate(&self.pk)),
            variable("KEK", GLOBAL, certificate(&self.kek)),
            variable("db", SECURITY_DATABASE, certificate(&self.db)),
            // As on a new machine: the digest of nothing.
            variable(
                "dbx",
                SECURITY_DATABASE,
                list(&CERT_SHA256, &owned(Digest::of(&[]).as_bytes())),
            ),
        ]
    }

    /// The `EFI_SIGNATURE_DATA` that allows what the db key signed.
    pub(crate) fn authority(&self) -> Vec<u8> {
        owned(&self.db)
    }
}

fn owned(content: &[u8]) -> Vec<u8> {
    [&OWNER[..], content].concat()
}

/// `EFI_SIGNATURE_LIST` of one entry.
fn list(kind: &[u8; 16], entry: &[u8]) -> Vec<u8> {
    let size = u32::try_from(entry.len()).unwrap();
    let mut out = kind.to_vec();
    out.extend((size + 28).to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(entry);
    out
}

/// The empty store of the distribution with `keys` enrolled and Secure Boot switched so.
pub(crate) fn store(empty: &[u8], keys: &Keys, secure_boot: bool) -> Vec<u8> {
    let mut out = empty.to_vec();
    assert_eq!(&out[40..44], b"_FVH");
    assert_eq!(out[FIRST], 0xff, "the store is empty");
    let mut at = FIRST;
    let mut put = |name: &str, guid: [u8; 16], attributes: u32, data: &[u8]| {
        let name: Vec<u8> = name
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        // StartId, State VAR_ADDED, Reserved, Attributes, MonotonicCount, TimeStamp, PubKeyIndex.
        let mut variable = vec![0xaa, 0x55, 0x3f, 0x00];
        variable.extend(attributes.to_le_bytes());
        variable.extend([0; 28]);
        variable.extend(length(&name));
        variable.extend(length(data));
        variable.extend(guid);
        variable.extend(name);
        variable.extend(data);
        out[at..at + variable.len()].copy_from_slice(&variable);
        at = (at + variable.len()).next_multiple_of(4);
    };
    for Variable { name, guid, data } in keys.variables() {
        put(name, guid, AUTHENTICATED, &data);
    }
    put("SecureBootEnable", ENABLE, 0x3, &[u8::from(secure_boot)]);
    out
}
