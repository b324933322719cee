//! One event of a log.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::tpm::ALG_SHA256;

pub(crate) const EV_NO_ACTION: u32 = 0x03;
const EV_SEPARATOR: u32 = 0x04;
const EV_EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
const EV_EFI_ACTION: u32 = 0x8000_0007;

/// An event as it stands in the log's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'b> {
    /// Its number in the log, from 1; the header is 0.
    pub number: usize,
    /// Where it begins.
    pub offset: usize,
    /// The register.
    pub pcr: u8,
    /// The `TCG_EVENTTYPE`. Not authenticated.
    pub event_type: u32,
    /// A digest for each bank of the log, with its `TPM_ALG_ID`.
    pub digests: Vec<(u16, &'b [u8])>,
    /// The payload. Authenticated only where the digest is over it, see [`Event::covers_payload`].
    pub data: &'b [u8],
}

impl Event<'_> {
    /// The digest of the SHA-256 bank.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        let digest = self.digests.iter().find(|(bank, _)| *bank == ALG_SHA256);
        digest.and_then(|(_, digest)| Digest::from_slice(digest))
    }

    /// Whether the event extends its register: all do but `EV_NO_ACTION`.
    #[must_use]
    pub const fn extends(&self) -> bool {
        self.event_type != EV_NO_ACTION
    }

    /// Whether the digest of this type of event is over its payload (PC Client PFP, section
    /// 10.4.1), so that the payload is authenticated once the digest is.
    #[must_use]
    pub const fn covers_payload(&self) -> bool {
        matches!(
            self.event_type,
            EV_SEPARATOR | EV_EFI_VARIABLE_DRIVER_CONFIG | EV_EFI_ACTION
        )
    }

    /// Whether the payload is the one digested, where the digest covers it.
    #[must_use]
    pub fn payload_holds(&self) -> bool {
        !self.covers_payload()
            || self
                .sha256()
                .is_none_or(|digest| digest.as_bytes()[..] == Sha256::digest(self.data)[..])
    }
}

/// The name of a `TCG_EVENTTYPE` (PC Client PFP, section 10.4.1).
#[must_use]
pub const fn type_name(event_type: u32) -> &'static str {
    match event_type {
        0x00 => "EV_PREBOOT_CERT",
        0x01 => "EV_POST_CODE",
        0x03 => "EV_NO_ACTION",
        0x04 => "EV_SEPARATOR",
        0x05 => "EV_ACTION",
        0x06 => "EV_EVENT_TAG",
        0x07 => "EV_S_CRTM_CONTENTS",
        0x08 => "EV_S_CRTM_VERSION",
        0x09 => "EV_CPU_MICROCODE",
        0x0a => "EV_PLATFORM_CONFIG_FLAGS",
        0x0b => "EV_TABLE_OF_DEVICES",
        0x0c => "EV_COMPACT_HASH",
        0x0d => "EV_IPL",
        0x0e => "EV_IPL_PARTITION_DATA",
        0x0f => "EV_NONHOST_CODE",
        0x10 => "EV_NONHOST_CONFIG",
        0x11 => "EV_NONHOST_INFO",
        0x12 => "EV_OMIT_BOOT_DEVICE_EVENTS",
        0x13 => "EV_POST_CODE2",
        0x8000_0001 => "EV_EFI_VARIABLE_DRIVER_CONFIG",
        0x8000_0002 => "EV_EFI_VARIABLE_BOOT",
        0x8000_0003 => "EV_EFI_BOOT_SERVICES_APPLICATION",
        0x8000_0004 => "EV_EFI_BOOT_SERVICES_DRIVER",
        0x8000_0005 => "EV_EFI_RUNTIME_SERVICES_DRIVER",
        0x8000_0006 => "EV_EFI_GPT_EVENT",
        0x8000_0007 => "EV_EFI_ACTION",
        0x8000_0008 => "EV_EFI_PLATFORM_FIRMWARE_BLOB",
        0x8000_0009 => "EV_EFI_HANDOFF_TABLES",
        0x8000_000a => "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
        0x8000_000b => "EV_EFI_HANDOFF_TABLES2",
        0x8000_000c => "EV_EFI_VARIABLE_BOOT2",
        0x8000_000d => "EV_EFI_GPT_EVENT2",
        0x8000_0010 => "EV_EFI_HCRTM_EVENT",
        0x8000_00e0 => "EV_EFI_VARIABLE_AUTHORITY",
        0x8000_00e1 => "EV_EFI_SPDM_FIRMWARE_BLOB",
        0x8000_00e2 => "EV_EFI_SPDM_FIRMWARE_CONFIG",
        0x8000_00e3 => "EV_EFI_SPDM_DEVICE_POLICY",
        0x8000_00e4 => "EV_EFI_SPDM_DEVICE_AUTHORITY",
        _ => "an unknown event",
    }
}
