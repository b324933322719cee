//! `EFI_SIGNATURE_LIST`s (UEFI Specification 2.10, section 32.4.1): what Secure Boot trusts and
//! what it forbids.

use super::super::cursor::{Cursor, PayloadError};
use super::super::guid::Guid;

/// The lists of a signature database, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLists<'b> {
    lists: Vec<SignatureList<'b>>,
}

/// Entries of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureList<'b> {
    /// The kind.
    pub kind: Guid,
    /// The list's header, which no kind in use has.
    pub header: &'b [u8],
    entries: &'b [u8],
    entry_size: usize,
}

/// `EFI_SIGNATURE_DATA`: one entry and who put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'b> {
    /// Who put it there.
    pub owner: Guid,
    /// A certificate as DER, or a digest.
    pub data: &'b [u8],
}

impl<'b> SignatureLists<'b> {
    /// Reads lists, one after the other to the last byte. No bytes are no lists.
    ///
    /// # Errors
    /// [`PayloadError`] with the place and the reason.
    pub fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let mut lists = Vec::new();
        while cursor.left() > 0 {
            lists.push(SignatureList::read(&mut cursor)?);
        }
        Ok(Self { lists })
    }

    /// The lists.
    #[must_use]
    pub fn lists(&self) -> &[SignatureList<'b>] {
        &self.lists
    }

    /// Every entry with its kind, list by list.
    pub fn entries(&self) -> impl Iterator<Item = (Guid, Signature<'b>)> {
        let of_list = |list: &SignatureList<'b>| {
            let kind = list.kind;
            list.entries().map(move |entry| (kind, entry))
        };
        self.lists.iter().flat_map(of_list)
    }

    /// The certificates, as DER, with their owners.
    pub fn certificates(&self) -> impl Iterator<Item = Signature<'b>> {
        self.entries()
            .filter(|(kind, _)| *kind == Guid::CERT_X509)
            .map(|(_, entry)| entry)
    }

    /// The SHA-256 digests of images, with their owners.
    pub fn image_digests(&self) -> impl Iterator<Item = Signature<'b>> {
        self.entries()
            .filter(|(kind, _)| *kind == Guid::CERT_SHA256)
            .map(|(_, entry)| entry)
    }
}

impl<'b> SignatureList<'b> {
    /// The fixed part: the kind and three sizes.
    const FIXED: usize = 28;

    fn read(cursor: &mut Cursor<'b>) -> Result<Self, PayloadError> {
        let start = *cursor;
        let kind = cursor.guid()?;
        let (list, header, entry) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let sizes = usize::try_from(list).ok().zip(usize::try_from(entry).ok());
        let Some((list_size, entry_size)) = sizes else {
            return start.error("a signature list of an impossible size");
        };
        let header = cursor.sized(header)?;
        let used = Self::FIXED.saturating_add(header.len());
        let Some(body) = list_size.checked_sub(used) else {
            return start.error("a signature list that is smaller than its own header");
        };
        let owner = size_of::<Guid>();
        if entry_size < owner || body.checked_rem(entry_size) != Some(0) {
            return start.error("a signature list that is no whole number of entries");
        }
        if digest_size(kind).is_some_and(|size| entry_size != owner.saturating_add(size)) {
            return start.error("a digest of another size than its kind has");
        }
        let entries = cursor.take(body)?;
        Ok(Self {
            kind,
            header,
            entries,
            entry_size,
        })
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = Signature<'b>> + use<'b> {
        // An entry holds its owner at least, so the size is never 0.
        let entries = self.entries.chunks_exact(self.entry_size.max(1));
        entries.filter_map(|entry| Signature::read(entry).ok())
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len().checked_div(self.entry_size).unwrap_or(0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'b> Signature<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        Ok(Self {
            owner: cursor.guid()?,
            data: cursor.rest(),
        })
    }

    /// Whether the data is a certificate by its form. Of a signature that authorised an image
    /// the kind is not measured; this tells them apart.
    #[must_use]
    pub fn is_der(&self) -> bool {
        is_der(self.data)
    }
}

/// Whether bytes begin as a DER sequence does and are as long as it says.
pub(super) fn is_der(data: &[u8]) -> bool {
    match data {
        [0x30, 0x82, high, low, body @ ..] => {
            usize::from(u16::from_be_bytes([*high, *low])) == body.len()
        }
        [0x30, 0x81, len, body @ ..] => usize::from(*len) == body.len(),
        _ => false,
    }
}

/// The size of the entries' data, for kinds where it is fixed.
fn digest_size(kind: Guid) -> Option<usize> {
    let sizes = [
        (Guid::CERT_SHA1, 20),
        (Guid::CERT_SHA256, 32),
        (Guid::CERT_SHA384, 48),
        (Guid::CERT_SHA512, 64),
        (Guid::CERT_RSA2048, 256),
    ];
    let found = sizes.iter().find(|(known, _)| *known == kind);
    found.map(|(_, size)| *size)
}
