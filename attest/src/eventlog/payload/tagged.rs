//! `TCG_PCClientTaggedEvent` (PC Client PFP, section 10.4.2.1): numbered records, one after the
//! other. What a record holds is its tag's business; it is never read as records again.

use super::super::cursor::{Cursor, PayloadError};

/// The records of an `EV_EVENT_TAG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaggedEvents<'b>(&'b [u8]);

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tagged<'b> {
    /// The tag.
    pub id: u32,
    /// What it holds.
    pub data: &'b [u8],
}

impl<'b> TaggedEvents<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        loop {
            Tagged::read(&mut cursor)?;
            if cursor.left() == 0 {
                return Ok(Self(bytes));
            }
        }
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = Tagged<'b>> + use<'b> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || {
            (cursor.left() > 0)
                .then(|| Tagged::read(&mut cursor).ok())
                .flatten()
        })
    }
}

impl<'b> Tagged<'b> {
    fn read(cursor: &mut Cursor<'b>) -> Result<Self, PayloadError> {
        let (id, len) = (cursor.u32()?, cursor.u32()?);
        Ok(Self {
            id,
            data: cursor.sized(len)?,
        })
    }

    /// What the tag means, for those of systemd-stub and of the kernel's EFI stub.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        Some(match self.id {
            0xf5bc_582a => "loader.conf",
            0x6c46_f751 => "devicetree add-on",
            0x49df_fe0f => "initrd add-on",
            0xdac0_8e1a => "microcode add-on",
            0x13ae_d6db => "UKI profile",
            0x8f3b_22ec => "Linux initrd",
            0x8f3b_22ed => "Linux load options",
            _ => return None,
        })
    }
}
