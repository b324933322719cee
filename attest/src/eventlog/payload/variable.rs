//! `UEFI_VARIABLE_DATA` (PC Client PFP, section 10.2.6): a variable as it was measured.

use std::ops::Range;

use super::super::cursor::{Cursor, PayloadError};
use super::super::guid::Guid;
use super::super::text::Utf16;
use super::load_option::LoadOption;
use super::signatures::{Signature, SignatureLists, is_der};

/// A measured variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'b> {
    /// Whose name space the name is in.
    pub vendor: Guid,
    /// The name.
    pub name: Utf16<'b>,
    /// The value.
    pub data: &'b [u8],
    /// Where the value begins in the payload.
    data_at: usize,
}

/// What a variable's value is, by its vendor and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<'b> {
    /// `SecureBoot`, `SetupMode`, `AuditMode`, `DeployedMode`, ...: the value as it is, which
    /// need not be one byte long.
    Flag(&'b [u8]),
    /// `PK`, `KEK`, `db`, `dbx`, `dbt`, `dbr`.
    Signatures(SignatureLists<'b>),
    /// `BootOrder`, `DriverOrder`: numbers of load options.
    Order(Vec<u16>),
    /// `Boot0001`, ...
    LoadOption(LoadOption<'b>),
    /// What authorised an image: one `EFI_SIGNATURE_DATA` of a database.
    Authority(Signature<'b>),
    /// A certificate as DER, with nobody named as its owner: shim's, or of a firmware that left
    /// the owner out.
    Certificate(&'b [u8]),
    /// shim's `SbatLevel`.
    Sbat(&'b str),
    /// A variable that nothing more is known of.
    Other(&'b [u8]),
    /// The value is not what the name calls for.
    Malformed(PayloadError),
}

impl<'b> Variable<'b> {
    /// `padding` is how many bytes may follow: shim's structures were longer than their content.
    pub(super) fn read(bytes: &'b [u8], padding: usize) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let vendor = cursor.guid()?;
        let (name_units, data_len) = (cursor.u64()?, cursor.u64()?);
        let Some(name_len) = name_units.checked_mul(2) else {
            return cursor.error("a variable's name is longer than the payload");
        };
        let name = cursor.sized(name_len)?;
        let Some(name) = Utf16::exact(name) else {
            return cursor.error("a variable's name is no UTF-16");
        };
        let data_at = cursor.offset();
        let data = cursor.sized(data_len)?;
        if cursor.left() > padding {
            return cursor.error("bytes are left over");
        }
        Ok(Self {
            vendor,
            name,
            data,
            data_at,
        })
    }

    /// Whether it is the variable of this vendor and name.
    #[must_use]
    pub fn is(&self, vendor: Guid, name: &str) -> bool {
        self.vendor == vendor && self.name.is(name)
    }

    /// Where the value stands in the payload.
    #[must_use]
    pub const fn data_range(&self) -> Range<usize> {
        self.data_at..self.data_at.saturating_add(self.data.len())
    }

    /// The value, read as the variable's name calls for. Of an authority event
    /// (`authority`), the value of a signature database is the one entry that authorised.
    #[must_use]
    pub fn content(&self, authority: bool) -> Content<'b> {
        const LISTS: [(Guid, &str); 6] = [
            (Guid::GLOBAL, "PK"),
            (Guid::GLOBAL, "KEK"),
            (Guid::SECURITY, "db"),
            (Guid::SECURITY, "dbx"),
            (Guid::SECURITY, "dbt"),
            (Guid::SECURITY, "dbr"),
        ];
        let listed = LISTS.iter().any(|(vendor, name)| self.is(*vendor, name));
        let content = match (listed, authority) {
            (true, true) if is_der(self.data) => Ok(Content::Certificate(self.data)),
            (true, true) => Signature::read(self.data).map(Content::Authority),
            (true, false) => SignatureLists::read(self.data).map(Content::Signatures),
            (false, _) if self.vendor == Guid::GLOBAL => self.global(),
            (false, _) if self.is(Guid::SHIM, "SbatLevel") => sbat(self.data),
            (false, _) if is_der(self.data) => Ok(Content::Certificate(self.data)),
            (false, _) => Ok(Content::Other(self.data)),
        };
        content.unwrap_or_else(|mut error| {
            error.offset = error.offset.saturating_add(self.data_at);
            Content::Malformed(error)
        })
    }

    fn global(&self) -> Result<Content<'b>, PayloadError> {
        const FLAGS: [&str; 5] = [
            "SecureBoot",
            "SetupMode",
            "AuditMode",
            "DeployedMode",
            "VendorKeys",
        ];
        if FLAGS.iter().any(|name| self.name.is(name)) {
            return Ok(Content::Flag(self.data));
        }
        if ["BootOrder", "DriverOrder", "SysPrepOrder"]
            .iter()
            .any(|name| self.name.is(name))
        {
            return order(self.data);
        }
        if self.is_load_option() {
            return LoadOption::read(self.data).map(Content::LoadOption);
        }
        Ok(Content::Other(self.data))
    }

    /// `Boot####`, `Driver####`, `SysPrep####` with four hexadecimal digits (UEFI 2.10, 3.1.1).
    fn is_load_option(&self) -> bool {
        let mut digits = 0;
        let stem: String = self.name.chars().take(16).collect();
        let stem = stem.trim_end_matches(|c: char| {
            digits += 1;
            digits <= 4 && c.is_ascii_hexdigit()
        });
        let named = ["Boot", "Driver", "SysPrep"].contains(&stem);
        named && self.name.chars().count() == stem.len().saturating_add(4)
    }
}

fn order(data: &[u8]) -> Result<Content<'_>, PayloadError> {
    let (numbers, rest) = data.as_chunks::<2>();
    if rest.is_empty() {
        let numbers = numbers.iter().map(|number| u16::from_le_bytes(*number));
        Ok(Content::Order(numbers.collect()))
    } else {
        Cursor::new(data).error("an order of load options with half a number")
    }
}

fn sbat(data: &[u8]) -> Result<Content<'_>, PayloadError> {
    match std::str::from_utf8(data) {
        Ok(text) => Ok(Content::Sbat(text)),
        Err(_) => Cursor::new(data).error("an SBAT level that is no text"),
    }
}
