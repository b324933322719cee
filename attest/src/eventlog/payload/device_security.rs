//! `TCG_DEVICE_SECURITY_EVENT_DATA` and its second form (PC Client PFP, section 10.2.8): what a
//! device said of itself by SPDM.

use super::super::cursor::{Cursor, PayloadError};
use super::device_path::DevicePath;

/// A device's measurement or certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSecurity<'b> {
    /// 0 none, 1 PCI, 2 USB.
    pub device_type: u32,
    /// What the second form adds.
    pub second: Option<Second<'b>>,
    /// The measurement block, the certificate chain, or what else was measured, with the
    /// device's context after it in the first form.
    pub body: &'b [u8],
    /// The device's context: identifiers and descriptors. Empty in the first form.
    pub context: &'b [u8],
}

/// What the second form adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Second<'b> {
    /// 0 authenticated, 1 to 4 not, 0xff the device has no SPDM.
    pub auth_state: u8,
    /// 0 a measurement block, 1 a certificate chain, 2 the vendor's.
    pub body_kind: u32,
    /// Binds two events of one device.
    pub uid: u64,
    /// Where the device is.
    pub path: DevicePath<'b>,
}

impl<'b> DeviceSecurity<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        match &cursor.array::<16>()? {
            b"SPDM Device Sec\0" => Self::first(cursor),
            b"SPDM Device Sec2" => Self::second(cursor),
            _ => Cursor::new(bytes).error("a device's measurement without its signature"),
        }
    }

    fn first(mut cursor: Cursor<'b>) -> Result<Self, PayloadError> {
        if cursor.u16()? != 1 {
            return cursor.error("another version of the device's measurement");
        }
        let (_length, _hash) = (cursor.u16()?, cursor.u32()?);
        let device_type = cursor.u32()?;
        Ok(Self {
            device_type,
            second: None,
            body: cursor.rest(),
            context: &[],
        })
    }

    fn second(mut cursor: Cursor<'b>) -> Result<Self, PayloadError> {
        if cursor.u16()? != 2 {
            return cursor.error("another version of the device's measurement");
        }
        let (auth_state, _reserved) = (cursor.u8()?, cursor.u8()?);
        let length = cursor.u32()?;
        if usize::try_from(length).ok() != Some(cursor.left()) {
            return cursor.error("another length than the device's measurement has");
        }
        let (device_type, body_kind) = (cursor.u32()?, cursor.u32()?);
        let (body_len, uid) = (cursor.u32()?, cursor.u64()?);
        let path_len = cursor.u64()?;
        let at = cursor.offset();
        let path = DevicePath::read(cursor.sized(path_len)?, at)?;
        let body = cursor.sized(body_len)?;
        let second = Some(Second {
            auth_state,
            body_kind,
            uid,
            path,
        });
        Ok(Self {
            device_type,
            second,
            body,
            context: cursor.rest(),
        })
    }
}
