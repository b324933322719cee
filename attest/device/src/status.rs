//! What a TPM says of itself, for an operator. Not authenticated: an auditor takes evidence.

use crate::connection::TpmError;
use crate::number::ALG_SHA256;
use crate::tpm::{Clock, Permanent, Tpm};

const CAP_PCRS: u32 = 5;
const PT_REVISION: u32 = 0x102;
const PT_MANUFACTURER: u32 = 0x105;
const PT_VENDOR_STRINGS: [u32; 4] = [0x106, 0x107, 0x108, 0x109];
const PT_FIRMWARE: [u32; 2] = [0x10B, 0x10C];

/// A TPM as it describes itself (TPM 2.0 Library Part 2, section 6.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmStatus {
    /// Its manufacturer's four letters, such as `IBM` or `IFX`.
    pub manufacturer: String,
    /// Its vendor's words for it.
    pub model: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Revision of the specification it follows, such as `1.64`.
    pub revision: String,
    /// Authorisations set and the dictionary-attack state.
    pub permanent: Permanent,
    /// Its clock.
    pub clock: Clock,
    /// Names of the PCR banks that are in use: `sha1`, `sha256`.
    pub banks: Vec<String>,
    /// It holds a certificate of the endorsement key that we use (ECC P-256).
    pub ek_certificate: bool,
    /// It holds a certificate of an RSA 2048 endorsement key, which we do not use.
    pub ek_certificate_rsa: bool,
}

impl Tpm {
    /// What the TPM says of itself.
    ///
    /// # Errors
    /// [`TpmError`] when it does not answer.
    pub fn status(&self) -> Result<TpmStatus, TpmError> {
        let mut model = Vec::new();
        for property in PT_VENDOR_STRINGS {
            model.extend(self.property(property)?.to_be_bytes());
        }
        let [high, low] = PT_FIRMWARE;
        let (high, low) = (self.property(high)?, self.property(low)?);
        let revision = self.property(PT_REVISION)?;
        Ok(TpmStatus {
            manufacturer: words(&self.property(PT_MANUFACTURER)?.to_be_bytes()),
            model: words(&model),
            firmware: format!(
                "{}.{}.{}.{}",
                high >> 16,
                high & 0xFFFF,
                low >> 16,
                low & 0xFFFF
            ),
            revision: format!("{}.{:02}", revision / 100, revision % 100),
            permanent: self.permanent()?,
            clock: self.clock()?,
            banks: self.banks()?,
            ek_certificate: self.has_index(crate::number::EK_CERTIFICATE)?,
            ek_certificate_rsa: self.has_index(crate::number::EK_CERTIFICATE_RSA)?,
        })
    }

    /// The banks in which any register is in use.
    fn banks(&self) -> Result<Vec<String>, TpmError> {
        let answer = self.capability(CAP_PCRS, 0, 1)?;
        answer.read("TPM2_GetCapability", |take| {
            take.raw(5)?; // moreData, capability
            let count = take.u32()?;
            let mut banks = Vec::new();
            for _ in 0..count {
                let algorithm = take.u16()?;
                let size = take.u8()?;
                if take.raw(size.into())?.iter().any(|byte| *byte != 0) {
                    banks.push(bank(algorithm));
                }
            }
            Ok(banks)
        })
    }

    fn has_index(&self, index: u32) -> Result<bool, TpmError> {
        match self.connection.nv_read_public(index) {
            Ok(_) => Ok(true),
            Err(error) if error.code().is_some_and(|code| code.is_handle()) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn bank(algorithm: u16) -> String {
    match algorithm {
        0x0004 => "sha1".to_owned(),
        ALG_SHA256 => "sha256".to_owned(),
        0x000C => "sha384".to_owned(),
        0x000D => "sha512".to_owned(),
        0x0012 => "sm3-256".to_owned(),
        other => format!("{other:#06x}"),
    }
}

/// A vendor's bytes as text: padding gone, whatever is not printable ASCII as `?`.
fn words(bytes: &[u8]) -> String {
    let printable = |byte: &u8| match byte {
        0x20..=0x7E => char::from(*byte),
        _ => '?',
    };
    let end = bytes.iter().rposition(|byte| *byte != 0);
    let bytes = bytes
        .get(..end.map_or(0, |last| last.saturating_add(1)))
        .unwrap_or(bytes);
    let text: String = bytes
        .iter()
        .filter(|byte| **byte != 0)
        .map(printable)
        .collect();
    let parts: Vec<&str> = text.split_whitespace().collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_bytes_act_on_no_terminal() {
        assert_eq!(words(b"IBM\0"), "IBM");
        assert_eq!(words(b"SW  \0\0\0\0 TPM\0"), "SW TPM");
        assert_eq!(words(b"\x1b[2J"), "?[2J");
        assert_eq!(words(&[0; 16]), "");
    }
}
