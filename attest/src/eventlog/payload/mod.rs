//! What events say: their payloads, read by the type that the log gives them.
//!
//! A payload is outside the digest unless [`super::Event::coverage`] says otherwise, and the type
//! by which it is read here always is. Decoding is bounded by the payload: it borrows, never
//! calls itself, and reserves nothing for a number that the payload only names. A payload that
//! is not of its type's form is [`Payload::Malformed`]; the event's digest counts all the same.

mod describe;
mod device_path;
mod device_security;
mod gpt;
mod image;
mod load_option;
mod no_action;
mod signatures;
mod tagged;
mod variable;

pub use super::cursor::PayloadError;
use super::kind;
use super::text::Text;
pub use device_path::{DevicePath, Node};
pub use device_security::{DeviceSecurity, Second};
pub use gpt::{Gpt, Partition};
pub use image::{FirmwareBlob, HandoffTables, ImageLoad};
pub use load_option::LoadOption;
pub(super) use no_action::STARTUP_LOCALITY;
pub use no_action::{Locator, Names, NoAction, Platform};
pub use signatures::{Signature, SignatureList, SignatureLists};
pub use tagged::{Tagged, TaggedEvents};
pub use variable::{Content, Variable};

use super::guid::Guid;

/// An event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'b> {
    /// `EV_SEPARATOR`.
    Separator(Separator),
    /// `EV_ACTION`, `EV_EFI_ACTION`, `EV_OMIT_BOOT_DEVICE_EVENTS`.
    Action(Text<'b>),
    /// `EV_EFI_VARIABLE_*` and the SPDM policy and authority.
    Variable(Variable<'b>),
    /// `EV_EFI_BOOT_SERVICES_APPLICATION` and drivers.
    Image(ImageLoad<'b>),
    /// `EV_EFI_GPT_EVENT` and its second form.
    Gpt(Gpt<'b>),
    /// `EV_EFI_PLATFORM_FIRMWARE_BLOB`, its second form, `EV_POST_CODE` of the structured form.
    Blob(FirmwareBlob<'b>),
    /// `EV_EFI_HANDOFF_TABLES` and its second form.
    Tables(HandoffTables<'b>),
    /// `EV_IPL` and every type whose payload is a string.
    Text(Text<'b>),
    /// `EV_S_CRTM_VERSION` of the form that is a GUID.
    Guid(Guid),
    /// `EV_EVENT_TAG`.
    Tagged(TaggedEvents<'b>),
    /// `EV_EFI_SPDM_FIRMWARE_BLOB` and `_CONFIG`.
    Device(DeviceSecurity<'b>),
    /// `EV_NO_ACTION`.
    NoAction(NoAction<'b>),
    /// `EV_EFI_HCRTM_EVENT`: PCR 0 began with a hash by hardware.
    Hcrtm,
    /// A type whose payload the specification leaves to the vendor.
    Vendor(&'b [u8]),
    /// A type that the specification does not have.
    Unknown(&'b [u8]),
    /// Not of its type's form.
    Malformed(PayloadError),
}

/// What a separator says (PC Client PFP, section 10.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// 0: firmware is done with the register.
    Zero,
    /// 0xffffffff: the same, as some firmware writes it.
    Ones,
    /// 1: an error while measuring.
    Error,
}

/// The most bytes after the structure of an authority that shim measured.
const SHIM_PADDING: usize = 8;

impl<'b> Payload<'b> {
    /// Reads a payload by the event's type.
    #[must_use]
    pub fn read(event_type: u32, bytes: &'b [u8]) -> Self {
        Self::decode(event_type, bytes).unwrap_or_else(Self::Malformed)
    }

    fn decode(event_type: u32, bytes: &'b [u8]) -> Result<Self, PayloadError> {
        match event_type {
            kind::EV_SEPARATOR => Separator::read(bytes).map(Self::Separator),
            kind::EV_ACTION | kind::EV_EFI_ACTION | kind::EV_OMIT_BOOT_DEVICE_EVENTS => {
                text(bytes).map(Self::Action)
            }
            kind::EV_EFI_VARIABLE_AUTHORITY => {
                Variable::read(bytes, SHIM_PADDING).map(Self::Variable)
            }
            kind::EV_EFI_VARIABLE_DRIVER_CONFIG
            | kind::EV_EFI_VARIABLE_BOOT
            | kind::EV_EFI_VARIABLE_BOOT2
            | kind::EV_EFI_SPDM_DEVICE_POLICY
            | kind::EV_EFI_SPDM_DEVICE_AUTHORITY => Variable::read(bytes, 0).map(Self::Variable),
            kind::EV_EFI_BOOT_SERVICES_APPLICATION
            | kind::EV_EFI_BOOT_SERVICES_DRIVER
            | kind::EV_EFI_RUNTIME_SERVICES_DRIVER => ImageLoad::read(bytes).map(Self::Image),
            kind::EV_EFI_GPT_EVENT | kind::EV_EFI_GPT_EVENT2 => Gpt::read(bytes).map(Self::Gpt),
            kind::EV_EFI_PLATFORM_FIRMWARE_BLOB => FirmwareBlob::read(bytes).map(Self::Blob),
            kind::EV_EFI_PLATFORM_FIRMWARE_BLOB2 => FirmwareBlob::read_named(bytes).map(Self::Blob),
            kind::EV_EFI_HANDOFF_TABLES => HandoffTables::read(bytes).map(Self::Tables),
            kind::EV_EFI_HANDOFF_TABLES2 => HandoffTables::read_named(bytes).map(Self::Tables),
            kind::EV_EFI_SPDM_FIRMWARE_BLOB | kind::EV_EFI_SPDM_FIRMWARE_CONFIG => {
                DeviceSecurity::read(bytes).map(Self::Device)
            }
            kind::EV_EFI_HCRTM_EVENT => hcrtm(bytes),
            kind::EV_EVENT_TAG => TaggedEvents::read(bytes).map(Self::Tagged),
            kind::EV_NO_ACTION => NoAction::read(bytes).map(Self::NoAction),
            kind::EV_IPL => Ok(Self::text_or_vendor(bytes)),
            kind::EV_S_CRTM_VERSION => Ok(version(bytes)),
            kind::EV_POST_CODE | kind::EV_POST_CODE2 | kind::EV_S_CRTM_CONTENTS => Ok(code(bytes)),
            _ if super::kind::type_name(event_type) == super::kind::UNKNOWN => {
                Ok(Self::Unknown(bytes))
            }
            _ => Ok(Self::text_or_vendor(bytes)),
        }
    }

    fn text_or_vendor(bytes: &'b [u8]) -> Self {
        let text = Text::guess(bytes).filter(|text| !text.is_empty());
        text.map_or(Self::Vendor(bytes), Self::Text)
    }
}

impl Separator {
    fn read(bytes: &[u8]) -> Result<Self, PayloadError> {
        match bytes {
            [0, 0, 0, 0] => Ok(Self::Zero),
            [0xff, 0xff, 0xff, 0xff] => Ok(Self::Ones),
            [1, 0, 0, 0] => Ok(Self::Error),
            _ => super::cursor::Cursor::new(bytes).error("a separator of no allowed value"),
        }
    }
}

fn text(bytes: &[u8]) -> Result<Text<'_>, PayloadError> {
    let text = Text::guess(bytes).filter(|text| !text.is_empty());
    text.map_or_else(|| super::cursor::Cursor::new(bytes).error("no text"), Ok)
}

/// The string "HCRTM" and nothing else (PC Client PFP, section 10.4.1).
fn hcrtm(bytes: &[u8]) -> Result<Payload<'_>, PayloadError> {
    match bytes {
        b"HCRTM" => Ok(Payload::Hcrtm),
        _ => super::cursor::Cursor::new(bytes).error("not the word HCRTM"),
    }
}

/// A version is UTF-16, UTF-8 or a GUID; the last is what is no text.
fn version(bytes: &[u8]) -> Payload<'_> {
    if let Some(text) = Text::guess(bytes).filter(|text| !text.is_empty()) {
        return Payload::Text(text);
    }
    match bytes.try_into() {
        Ok(guid) => Payload::Guid(Guid::new(guid)),
        Err(_) => Payload::Vendor(bytes),
    }
}

/// A description, or where in memory the code was; a description comes first in the second form.
fn code(bytes: &[u8]) -> Payload<'_> {
    if let Some(text) = Text::guess(bytes).filter(|text| !text.is_empty()) {
        return Payload::Text(text);
    }
    let blob = FirmwareBlob::read(bytes).or_else(|_| FirmwareBlob::read_named(bytes));
    blob.map_or(Payload::Vendor(bytes), Payload::Blob)
}
