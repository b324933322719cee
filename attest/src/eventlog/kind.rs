//! The event types of the TCG PC Client Platform Firmware Profile 1.06, section 10.4.1, and of
//! UEFI, each with its name.

/// What [`type_name`] calls a type that no specification here has.
pub(super) const UNKNOWN: &str = "an unknown event";

macro_rules! kinds {
    ($($name:ident = $number:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`.")]
            pub const $name: u32 = $number;
        )*
        /// The name of a `TCG_EVENTTYPE`.
        #[must_use]
        pub const fn type_name(event_type: u32) -> &'static str {
            match event_type {
                $($number => stringify!($name),)*
                _ => UNKNOWN,
            }
        }
    };
}

kinds! {
    EV_PREBOOT_CERT = 0x00;
    EV_POST_CODE = 0x01;
    EV_UNUSED = 0x02;
    EV_NO_ACTION = 0x03;
    EV_SEPARATOR = 0x04;
    EV_ACTION = 0x05;
    EV_EVENT_TAG = 0x06;
    EV_S_CRTM_CONTENTS = 0x07;
    EV_S_CRTM_VERSION = 0x08;
    EV_CPU_MICROCODE = 0x09;
    EV_PLATFORM_CONFIG_FLAGS = 0x0a;
    EV_TABLE_OF_DEVICES = 0x0b;
    EV_COMPACT_HASH = 0x0c;
    EV_IPL = 0x0d;
    EV_IPL_PARTITION_DATA = 0x0e;
    EV_NONHOST_CODE = 0x0f;
    EV_NONHOST_CONFIG = 0x10;
    EV_NONHOST_INFO = 0x11;
    EV_OMIT_BOOT_DEVICE_EVENTS = 0x12;
    EV_POST_CODE2 = 0x13;
    EV_EFI_EVENT_BASE = 0x8000_0000;
    EV_EFI_VARIABLE_DRIVER_CONFIG = 0x8000_0001;
    EV_EFI_VARIABLE_BOOT = 0x8000_0002;
    EV_EFI_BOOT_SERVICES_APPLICATION = 0x8000_0003;
    EV_EFI_BOOT_SERVICES_DRIVER = 0x8000_0004;
    EV_EFI_RUNTIME_SERVICES_DRIVER = 0x8000_0005;
    EV_EFI_GPT_EVENT = 0x8000_0006;
    EV_EFI_ACTION = 0x8000_0007;
    EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x8000_0008;
    EV_EFI_HANDOFF_TABLES = 0x8000_0009;
    EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000_000a;
    EV_EFI_HANDOFF_TABLES2 = 0x8000_000b;
    EV_EFI_VARIABLE_BOOT2 = 0x8000_000c;
    EV_EFI_GPT_EVENT2 = 0x8000_000d;
    EV_EFI_HCRTM_EVENT = 0x8000_0010;
    EV_EFI_VARIABLE_AUTHORITY = 0x8000_00e0;
    EV_EFI_SPDM_FIRMWARE_BLOB = 0x8000_00e1;
    EV_EFI_SPDM_FIRMWARE_CONFIG = 0x8000_00e2;
    EV_EFI_SPDM_DEVICE_POLICY = 0x8000_00e3;
    EV_EFI_SPDM_DEVICE_AUTHORITY = 0x8000_00e4;
}
