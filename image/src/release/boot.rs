//! What the development stand's imaginary machine boots: the inputs of log and prediction.

use casemate_attest::predict::pcr7::Databases;

use super::{certificate, pe};

/// A UEFI variable that Secure Boot measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its vendor's GUID, as UEFI stores it.
    pub guid: [u8; 16],
    /// Its content.
    pub data: Vec<u8>,
}

/// A machine with Secure Boot on that boots one UKI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The product's name.
    pub product: &'static str,
    /// The version as people read it.
    pub version: &'static str,
    /// The version as the floor counts it.
    pub number: u64,
    /// What the firmware says its version is.
    pub firmware: &'static str,
    /// SecureBoot, PK, KEK, db, dbx: in the order the firmware measures them.
    pub variables: Vec<Variable>,
    /// The `EFI_SIGNATURE_DATA` of db that the UKI is signed under.
    pub authority: Vec<u8>,
    /// The UKI's sections: name and content.
    pub sections: Vec<(&'static str, Vec<u8>)>,
}

/// `EFI_GLOBAL_VARIABLE_GUID`.
pub(super) const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
pub(super) const SECURITY_DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];
/// `EFI_CERT_X509_GUID`.
const CERT_X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];
/// `EFI_CERT_SHA256_GUID`.
const CERT_SHA256: [u8; 16] = [
    0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28,
];
/// The owner of our signature list entries: a random GUID of this project.
const OWNER: [u8; 16] = [
    0x5b, 0x1e, 0x9a, 0xc4, 0x77, 0x20, 0x3d, 0x4f, 0x8e, 0x61, 0x0c, 0xd2, 0x9b, 0x53, 0xe7, 0x18,
];

const KERNEL: &[u8] =
    b"No kernel is booted on a development stand; this text stands in its place.\n";
const INITRD: &[u8] =
    b"No initrd is booted on a development stand; this text stands in its place.\n";
const COMMAND_LINE: &[u8] = b"casemate.development=1 ro quiet\0";

impl Boot {
    /// The one boot of the development stand.
    #[must_use]
    pub fn development() -> Self {
        let (version, number) = (env!("CARGO_PKG_VERSION"), 1);
        let authority = owned(&certificate::development("Casemate development db", 3));
        let certificate =
            |name, seed| list(&CERT_X509, &owned(&certificate::development(name, seed)));
        let global = |name, data| Variable {
            name,
            guid: GLOBAL,
            data,
        };
        let database = |name, data| Variable {
            name,
            guid: SECURITY_DATABASE,
            data,
        };
        let variables = vec![
            global("SecureBoot", vec![1]),
            global("PK", certificate("Casemate development PK", 1)),
            global("KEK", certificate("Casemate development KEK", 2)),
            database("db", list(&CERT_X509, &authority)),
            // As on a new machine: a list with the digest of nothing.
            database("dbx", list(&CERT_SHA256, &owned(&pe::sha256(&[])))),
        ];
        let release = format!("ID=casemate\nVERSION_ID={version}\nVARIANT_ID=development\n");
        let sections = vec![
            (".linux", KERNEL.to_vec()),
            (".osrel", release.into_bytes()),
            (".cmdline", COMMAND_LINE.to_vec()),
            (".initrd", INITRD.to_vec()),
            (".uname", b"0.0.0-development".to_vec()),
        ];
        Self {
            product: "casemate",
            version,
            number,
            firmware: "Casemate recorded development firmware 1",
            variables,
            authority,
            sections,
        }
    }

    /// The key databases, for the prediction.
    #[must_use]
    pub(super) fn databases(&self) -> Databases {
        let value = |name: &str| {
            let found = self.variables.iter().find(|variable| variable.name == name);
            found.map_or_else(Vec::new, |variable| variable.data.clone())
        };
        Databases {
            pk: value("PK"),
            kek: value("KEK"),
            db: value("db"),
            dbx: value("dbx"),
        }
    }

    /// The UKI as a PE file.
    #[must_use]
    pub fn uki(&self) -> Vec<u8> {
        pe::image(&self.sections)
    }
}

/// `EFI_SIGNATURE_DATA`: owner and content.
fn owned(content: &[u8]) -> Vec<u8> {
    [&OWNER[..], content].concat()
}

/// `EFI_SIGNATURE_LIST` of one entry.
fn list(kind: &[u8; 16], entry: &[u8]) -> Vec<u8> {
    let size = u32::try_from(entry.len()).unwrap_or(u32::MAX);
    let mut out = kind.to_vec();
    out.extend(size.saturating_add(28).to_le_bytes());
    out.extend(0u32.to_le_bytes()); // no list header
    out.extend(size.to_le_bytes());
    out.extend(entry);
    out
}
