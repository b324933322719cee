//! PCR 7: the Secure Boot policy (PC Client PFP 1.06, section 3.3.4.8).
//!
//! Each variable as `UEFI_VARIABLE_DATA` in the firmware's order, the separator, then the entry
//! of db under which the image is allowed.

use super::pe::PeImage;
use super::{PredictError, event};
use crate::digest::Digest;
use crate::eventlog::payload::{Signature, SignatureLists};
use crate::eventlog::{Guid, kind};
use crate::release::ExpectedEvent;

/// The key databases of a machine with Secure Boot on: the variables' values, which are
/// `EFI_SIGNATURE_LIST`s. Empty for a variable that the firmware has but that holds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Databases {
    /// The platform key.
    pub pk: Vec<u8>,
    /// The key exchange keys.
    pub kek: Vec<u8>,
    /// What may be started.
    pub db: Vec<u8>,
    /// What may not.
    pub dbx: Vec<u8>,
}

/// The events of a machine with these databases that starts `image`.
///
/// # Errors
/// [`PredictError`] when a database is no signature list, or not exactly one entry of db fits.
pub fn predict(
    databases: &Databases,
    image: &PeImage<'_>,
) -> Result<Vec<ExpectedEvent>, PredictError> {
    let authority = authority(&databases.db, image)?;
    events(databases, &authority)
}

/// The same, with the db entry (`EFI_SIGNATURE_DATA`) that allows the image given.
///
/// # Errors
/// [`PredictError::Database`] when a database is no signature list.
pub fn events(databases: &Databases, authority: &[u8]) -> Result<Vec<ExpectedEvent>, PredictError> {
    let variables: [(Guid, &'static str, &[u8]); 5] = [
        (Guid::GLOBAL, "SecureBoot", &[1]),
        (Guid::GLOBAL, "PK", &databases.pk),
        (Guid::GLOBAL, "KEK", &databases.kek),
        (Guid::SECURITY, "db", &databases.db),
        (Guid::SECURITY, "dbx", &databases.dbx),
    ];
    let mut events = Vec::new();
    for (vendor, name, value) in variables {
        if name != "SecureBoot" {
            lists(name, value)?;
        }
        let digest = measured(vendor, name, value);
        events.push(event(name, kind::EV_EFI_VARIABLE_DRIVER_CONFIG, digest));
    }
    let line = Digest::of(&[0; 4]);
    events.push(event("separator", kind::EV_SEPARATOR, line));
    let digest = measured(Guid::SECURITY, "db", authority);
    events.push(event("authority", kind::EV_EFI_VARIABLE_AUTHORITY, digest));
    Ok(events)
}

/// The entry of db, owner and data, that fits the image's signature: a certificate that the
/// signature carries, or else the image's own digest.
fn authority(db: &[u8], image: &PeImage<'_>) -> Result<Vec<u8>, PredictError> {
    let lists = lists("db", db)?;
    let carried = |entry: &Signature<'_>| {
        let signature = image.certificates();
        let len = entry.data.len().max(1);
        signature.windows(len).any(|window| window == entry.data)
    };
    let mut fitting: Vec<Signature<'_>> = lists.certificates().filter(carried).collect();
    if fitting.is_empty() {
        let digest = image.authenticode();
        let own = |entry: &Signature<'_>| entry.data == &digest.as_bytes()[..];
        fitting = lists.image_digests().filter(own).collect();
    }
    match fitting.as_slice() {
        [entry] => Ok([&entry.owner.as_bytes()[..], entry.data].concat()),
        others => Err(PredictError::Authority {
            count: others.len(),
        }),
    }
}

fn lists<'b>(name: &'static str, value: &'b [u8]) -> Result<SignatureLists<'b>, PredictError> {
    SignatureLists::read(value).map_err(|source| PredictError::Database { name, source })
}

/// The digest over `UEFI_VARIABLE_DATA` (section 10.2.6): GUID, lengths, UTF-16 name, data.
fn measured(vendor: Guid, name: &str, data: &[u8]) -> Digest {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX).to_le_bytes();
    Digest::of_parts(&[
        vendor.as_bytes(),
        &length(name.len() / 2),
        &length(data.len()),
        &name,
        data,
    ])
}
