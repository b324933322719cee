//! `EV_NO_ACTION`: words of the firmware that extend nothing (PC Client PFP, section 10.4.5).
//! No quote vouches for any of them; of `StartupLocality` the value of PCR 0 is a witness.

use super::super::cursor::{Cursor, PayloadError};
use super::super::guid::Guid;

pub(crate) const STARTUP_LOCALITY: &[u8; 16] = b"StartupLocality\0";

/// What an `EV_NO_ACTION` event says, by its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAction<'b> {
    /// A Spec ID event, which is the log's header.
    SpecId(&'b [u8]),
    /// The locality that the TPM was started from.
    StartupLocality(u8),
    /// SP800-155: where the vendor's reference manifest for this platform is.
    Platform(Box<Platform<'b>>),
    /// `NvIndexInstance`: a measurement of a device went to an NV index.
    NvInstance {
        /// The structure's version.
        version: u16,
        /// The rest, `TCG_DEVICE_SECURITY_EVENT_DATA2`.
        data: &'b [u8],
    },
    /// `NvIndexDynamic`: as before, for a device that may come and go.
    NvDynamic {
        /// The structure's version.
        version: u16,
        /// The device's number.
        uid: u64,
        /// What it is called.
        description: &'b [u8],
        /// The vendor's data.
        data: &'b [u8],
    },
    /// A signature that the specification does not have.
    Vendor {
        /// The 16 bytes of the signature.
        signature: [u8; 16],
        /// The rest.
        data: &'b [u8],
    },
}

/// `TCG_Sp800_155_PlatformId_Event`, `Event2` and `Event3`: each adds to the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform<'b> {
    /// The vendor's enterprise number at IANA.
    pub vendor: u32,
    /// The reference manifest.
    pub manifest: Guid,
    /// From `Event2` on: what is on the label.
    pub names: Option<Names<'b>>,
    /// From `Event3` on: where manifest and platform certificate are.
    pub locators: Option<[Locator<'b>; 2]>,
}

/// The names of an SP800-155 event, as bytes of outside origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'b> {
    /// Who made the platform.
    pub manufacturer: &'b [u8],
    /// The model.
    pub model: &'b [u8],
    /// The platform's version.
    pub version: &'b [u8],
    /// Who made the firmware.
    pub firmware_manufacturer: &'b [u8],
    /// Its maker's enterprise number at IANA.
    pub firmware_vendor: u32,
    /// The firmware's version.
    pub firmware_version: &'b [u8],
}

/// Where something is: 0 here, 1 a URI, 2 a device path, 3 a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locator<'b> {
    /// The kind.
    pub kind: u32,
    /// The place.
    pub place: &'b [u8],
}

impl<'b> NoAction<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        let signature: [u8; 16] = cursor.array()?;
        match &signature {
            STARTUP_LOCALITY => {
                let locality = cursor.u8()?;
                cursor.end()?;
                Ok(Self::StartupLocality(locality))
            }
            b"SP800-155 Event\0" => Platform::read(cursor, 1),
            b"SP800-155 Event2" => Platform::read(cursor, 2),
            b"SP800-155 Event3" => Platform::read(cursor, 3),
            b"NvIndexInstance\0" => {
                let version = cursor.u16()?;
                cursor.take(6)?;
                let data = cursor.rest();
                Ok(Self::NvInstance { version, data })
            }
            b"NvIndexDynamic\0\0" => Self::dynamic(cursor),
            _ if signature.starts_with(b"Spec ID Event0") => Ok(Self::SpecId(cursor.rest())),
            _ => Ok(Self::Vendor {
                signature,
                data: cursor.rest(),
            }),
        }
    }

    fn dynamic(mut cursor: Cursor<'b>) -> Result<Self, PayloadError> {
        let version = cursor.u16()?;
        cursor.take(6)?;
        let uid = cursor.u64()?;
        let len = cursor.u16()?;
        let description = cursor.sized(len)?;
        let len = cursor.u16()?;
        let data = cursor.sized(len)?;
        cursor.end()?;
        Ok(Self::NvDynamic {
            version,
            uid,
            description,
            data,
        })
    }
}

impl<'b> Platform<'b> {
    fn read(mut cursor: Cursor<'b>, form: u8) -> Result<NoAction<'b>, PayloadError> {
        let (vendor, manifest) = (cursor.u32()?, cursor.guid()?);
        let names = if form >= 2 {
            Some(Names::read(&mut cursor)?)
        } else {
            None
        };
        let locators = if form >= 3 {
            Some([Locator::read(&mut cursor)?, Locator::read(&mut cursor)?])
        } else {
            None
        };
        cursor.end()?;
        Ok(NoAction::Platform(Box::new(Self {
            vendor,
            manifest,
            names,
            locators,
        })))
    }
}

impl<'b> Names<'b> {
    fn read(cursor: &mut Cursor<'b>) -> Result<Self, PayloadError> {
        fn name<'b>(cursor: &mut Cursor<'b>) -> Result<&'b [u8], PayloadError> {
            let len = cursor.u8()?;
            cursor.sized(len)
        }
        Ok(Self {
            manufacturer: name(cursor)?,
            model: name(cursor)?,
            version: name(cursor)?,
            firmware_manufacturer: name(cursor)?,
            firmware_vendor: cursor.u32()?,
            firmware_version: name(cursor)?,
        })
    }
}

impl<'b> Locator<'b> {
    fn read(cursor: &mut Cursor<'b>) -> Result<Self, PayloadError> {
        let (kind, len) = (cursor.u32()?, cursor.u32()?);
        Ok(Self {
            kind,
            place: cursor.sized(len)?,
        })
    }
}
