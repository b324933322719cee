//! Every payload of the specification, decoded from its bytes and said in one line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod logs;

use casemate_attest::eventlog::payload::{Content, NoAction, Payload};
use casemate_attest::eventlog::{Guid, kind, type_name};
use logs::{GLOBAL, SECURITY, utf16, variable};
use proptest::prelude::*;

/// What a payload says, in one line.
fn said(event_type: u32, payload: &[u8]) -> String {
    Payload::read(event_type, payload).to_string()
}

/// A device path node.
fn node(kind: u8, sub_kind: u8, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len() + 4).unwrap().to_le_bytes();
    [&[kind, sub_kind], &len[..], data].concat()
}

const END: [u8; 4] = [0x7f, 0xff, 4, 0];

fn file(name: &str) -> Vec<u8> {
    node(4, 4, &[utf16(name), vec![0, 0]].concat())
}

fn hard_drive() -> Vec<u8> {
    let numbers = [
        &1_u32.to_le_bytes()[..],
        &0x800_u64.to_le_bytes(),
        &0x2_0000_u64.to_le_bytes(),
    ];
    node(
        4,
        1,
        &[&numbers.concat()[..], &[0xe5; 16], &[2, 2]].concat(),
    )
}

fn image(path: &[u8]) -> Vec<u8> {
    let numbers = [0xbd00_0000, 4096, 0, path.len() as u64].map(u64::to_le_bytes);
    [&numbers.concat()[..], path].concat()
}

fn named(description: &[u8]) -> Vec<u8> {
    [&[u8::try_from(description.len()).unwrap()], description].concat()
}

#[test]
fn every_type_of_the_specification_has_a_name() {
    let plain = (0..=0x13).map(type_name);
    assert!(plain.clone().all(|name| name.starts_with("EV_")));
    let numbers = [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd, 0x10, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4,
    ];
    for number in numbers {
        let name = type_name(kind::EV_EFI_EVENT_BASE + number);
        assert!(name.starts_with("EV_EFI_"), "{number:#x}: {name}");
    }
    assert_eq!(type_name(0x7777), "an unknown event");
}

#[test]
fn image_loads_and_their_device_paths() {
    let disk = [
        node(2, 1, &[0xd0, 0x41, 0x03, 0x0a, 0, 0, 0, 0]),
        node(1, 1, &[2, 1]),
        node(3, 18, &[0, 0, 0xff, 0xff, 0, 0]),
        hard_drive(),
        file("\\EFI\\BOOT\\BOOTX64.EFI"),
        END.to_vec(),
    ];
    let payload = image(&disk.concat());
    let Payload::Image(load) = Payload::read(kind::EV_EFI_BOOT_SERVICES_APPLICATION, &payload)
    else {
        panic!("no image");
    };
    assert_eq!((load.base, load.length), (0xbd00_0000, 4096));
    assert!(load.path.file().unwrap().is("\\EFI\\BOOT\\BOOTX64.EFI"));
    assert_eq!(
        load.path.to_string(),
        "PciRoot(0x0)/Pci(0x1,0x2)/Sata(0x0,0xffff,0x0)/\
         HD(1,GPT,e5e5e5e5-e5e5-e5e5-e5e5-e5e5e5e5e5e5,0x800,0x20000)/\\EFI\\BOOT\\BOOTX64.EFI"
    );
    for (nodes, text) in [
        (
            node(3, 23, &[1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            "NVMe(0x1,0807060504030201)",
        ),
        (node(3, 5, &[1, 2]), "USB(0x1,0x2)"),
        (
            node(3, 11, &[&[0xaa; 6][..], &[0; 26], &[1]].concat()),
            "MAC(aaaaaaaaaaaa,0x1)",
        ),
        (
            node(3, 24, b"http://boot/\x1b"),
            "Uri(http://boot/\u{fffd})",
        ),
        (
            node(4, 7, &[0x11; 16]),
            "Fv(11111111-1111-1111-1111-111111111111)",
        ),
        (
            node(4, 6, &[0x22; 16]),
            "FvFile(22222222-2222-2222-2222-222222222222)",
        ),
        (
            node(4, 8, &[&[0; 4][..], &[1; 16]].concat()),
            "Offset(0x101010101010101,0x101010101010101)",
        ),
        (node(9, 9, &[1, 2]), "Node(9,9,0102)"),
        (node(1, 1, &[]), "Node(1,1)"),
        ([file("a"), node(0x7f, 1, &[]), file("b")].concat(), "a,b"),
    ] {
        assert_eq!(
            said(kind::EV_EFI_RUNTIME_SERVICES_DRIVER, &image(&nodes)),
            text
        );
    }
}

#[test]
fn blobs_and_tables_in_both_forms() {
    let range = [0x82_0000_u64.to_le_bytes(), 0xe_0000_u64.to_le_bytes()].concat();
    let blob = kind::EV_EFI_PLATFORM_FIRMWARE_BLOB;
    assert_eq!(said(blob, &range), "0xe0000 bytes at 0x820000");
    let second = [named(b"PEIFV\0"), range.clone()].concat();
    assert_eq!(
        said(kind::EV_EFI_PLATFORM_FIRMWARE_BLOB2, &second),
        "PEIFV 0xe0000 bytes at 0x820000"
    );
    let table = [&[7; 16][..], &0x1234_u64.to_le_bytes()].concat();
    let tables = [&1_u64.to_le_bytes()[..], &table].concat();
    assert_eq!(said(kind::EV_EFI_HANDOFF_TABLES, &tables), "1 table");
    let second = [named(b"SMBIOS"), tables.clone()].concat();
    let Payload::Tables(decoded) = Payload::read(kind::EV_EFI_HANDOFF_TABLES2, &second) else {
        panic!("no tables");
    };
    assert_eq!(
        decoded.tables().collect::<Vec<_>>(),
        [(Guid::new([7; 16]), 0x1234)]
    );
    let two = [&2_u64.to_le_bytes()[..], &table].concat();
    assert!(said(kind::EV_EFI_HANDOFF_TABLES, &two).starts_with("malformed"));
    for post in [
        kind::EV_POST_CODE,
        kind::EV_POST_CODE2,
        kind::EV_S_CRTM_CONTENTS,
    ] {
        assert_eq!(said(post, b"ACPI DATA"), "ACPI DATA");
        assert_eq!(said(post, &range), "0xe0000 bytes at 0x820000");
        assert_eq!(
            said(post, &[named(b"POST"), range.clone()].concat()),
            "POST 0xe0000 bytes at 0x820000"
        );
    }
}

#[test]
fn versions_are_text_or_a_guid() {
    let version = kind::EV_S_CRTM_VERSION;
    assert_eq!(said(version, &[utf16("1.22"), vec![0, 0]].concat()), "1.22");
    assert_eq!(said(version, b"1.22\0"), "1.22");
    assert_eq!(
        said(version, &[0xfe; 16]),
        "fefefefe-fefe-fefe-fefe-fefefefefefe"
    );
    assert_eq!(said(kind::EV_CPU_MICROCODE, &[0xfe, 0xff, 0x80]), "feff80");
    assert_eq!(said(0x7777, &[1, 2]), "0102");
}

#[test]
fn a_partition_table() {
    let mut entry = [[0x28; 16], [0xe5; 16]].concat();
    entry.extend([0x800_u64, 0x2_07ff, 4].map(u64::to_le_bytes).concat());
    entry.extend(utf16("esp"));
    entry.resize(128, 0);
    let mut table = b"EFI PART".to_vec();
    table.extend([0; 32]);
    table.extend([34_u64, 0xffff].map(u64::to_le_bytes).concat());
    table.extend([0xd1; 16]);
    table.extend([0; 12]);
    table.extend([128, 0, 0, 0, 0, 0, 0, 0]);
    table.extend(1_u64.to_le_bytes());
    let payload = [table.clone(), entry.clone()].concat();
    let Payload::Gpt(gpt) = Payload::read(kind::EV_EFI_GPT_EVENT2, &payload) else {
        panic!("no table");
    };
    let partition = gpt.partitions().next().unwrap();
    assert_eq!(
        (partition.first, partition.last, partition.attributes),
        (0x800, 0x2_07ff, 4)
    );
    assert!(partition.name.is("esp"));
    assert_eq!((gpt.first_usable, gpt.last_usable), (34, 0xffff));
    for short in [
        &payload[..payload.len() - 1],
        &table,
        &[payload.clone(), vec![0]].concat(),
    ] {
        assert!(said(kind::EV_EFI_GPT_EVENT, short).starts_with("malformed"));
    }
}

#[test]
fn load_options_orders_and_databases() {
    let path = [file("\\shell.efi"), END.to_vec()].concat();
    let mut option = 1_u32.to_le_bytes().to_vec();
    option.extend(u16::try_from(path.len()).unwrap().to_le_bytes());
    option.extend([utf16("Shell"), vec![0, 0]].concat());
    option.extend([&path[..], b"-q"].concat());
    let boot =
        |name: &str, value: &[u8]| said(kind::EV_EFI_VARIABLE_BOOT, &variable(GLOBAL, name, value));
    assert_eq!(boot("Boot0001", &option), "Boot0001 \"Shell\" \\shell.efi");
    assert_eq!(boot("BootOrder", &[1, 0, 0x0a, 0]), "BootOrder 0001,000A");
    assert!(boot("BootOrder", &[1]).contains("malformed"));
    assert!(boot("Boot0001", &option[..7]).contains("malformed"));
    assert!(!boot("Boot1", &option).contains("Shell"));
    let list = |kind: Guid, size: u32, entries: &[u8]| {
        let sizes = [28 + u32::try_from(entries.len()).unwrap(), 0, size].map(u32::to_le_bytes);
        [&kind.as_bytes()[..], &sizes.concat(), entries].concat()
    };
    let certificate = list(
        Guid::CERT_X509,
        20,
        &[&[9; 16][..], &[0x30, 2, 5, 0]].concat(),
    );
    let digests = list(Guid::CERT_SHA256, 48, &[7; 96]);
    let payload = variable(SECURITY, "dbx", &[certificate, digests].concat());
    let Payload::Variable(dbx) = Payload::read(kind::EV_EFI_VARIABLE_DRIVER_CONFIG, &payload)
    else {
        panic!("no variable");
    };
    let Content::Signatures(lists) = dbx.content(false) else {
        panic!("no lists");
    };
    assert_eq!(lists.certificates().next().unwrap().data, [0x30, 2, 5, 0]);
    assert_eq!(
        lists.certificates().next().unwrap().owner,
        Guid::new([9; 16])
    );
    assert_eq!(
        lists
            .image_digests()
            .map(|own| own.data)
            .collect::<Vec<_>>(),
        [[7; 32]; 2]
    );
    assert_eq!(lists.to_string(), "1 certificate, 2 image digests");
    assert_eq!(
        said(
            kind::EV_EFI_VARIABLE_DRIVER_CONFIG,
            &variable(SECURITY, "db", &[])
        ),
        "db empty"
    );
}

#[test]
fn authorities_of_firmware_and_of_shim() {
    let der = [&[0x30, 0x81, 130][..], &[5; 130]].concat();
    let decoded = |vendor, name: &str, value: &[u8]| {
        let payload = variable(vendor, name, value);
        let Payload::Variable(own) = Payload::read(kind::EV_EFI_VARIABLE_AUTHORITY, &payload)
        else {
            panic!("no variable");
        };
        format!("{}", own.content(true))
    };
    let owned = [&Guid::MICROSOFT.as_bytes()[..], &der].concat();
    assert_eq!(
        decoded(SECURITY, "db", &owned),
        "certificate of 133 bytes by Microsoft"
    );
    assert_eq!(decoded(SECURITY, "db", &der), "certificate of 133 bytes");
    let shim = *Guid::SHIM.as_bytes();
    assert_eq!(decoded(shim, "Shim", &der), "certificate of 133 bytes");
    assert_eq!(
        decoded(shim, "SbatLevel", b"sbat,1,2022052400\n"),
        "sbat,1,2022052400\u{fffd}"
    );
    assert_eq!(decoded(shim, "MokListTrusted", &[1]), "01");
}

#[test]
fn strings_of_loaders() {
    let ipl = kind::EV_IPL;
    assert_eq!(
        said(ipl, b"grub_cmd: set root=(hd0)\0"),
        "grub_cmd: set root=(hd0)"
    );
    assert_eq!(
        said(ipl, &[utf16(".cmdline"), vec![0, 0]].concat()),
        ".cmdline"
    );
    assert_eq!(said(ipl, &[0xff, 0xfe, 0xfd]), "fffefd");
    let record = |id: u32, data: &[u8]| {
        [
            &id.to_le_bytes()[..],
            &u32::try_from(data.len()).unwrap().to_le_bytes(),
            data,
        ]
        .concat()
    };
    let tagged = record(0xf5bc_582a, &[utf16("timeout 3"), vec![0, 0]].concat());
    assert_eq!(said(kind::EV_EVENT_TAG, &tagged), "loader.conf: timeout 3");
    let two = [
        record(0x8f3b_22ed, b"LOADED_IMAGE::LoadOptions\0"),
        record(7, &[0xff]),
    ]
    .concat();
    assert_eq!(
        said(kind::EV_EVENT_TAG, &two),
        "Linux load options: LOADED_IMAGE::LoadOptions, tag 0x00000007: ff"
    );
    assert!(said(kind::EV_EVENT_TAG, b"").starts_with("malformed"));
    assert_eq!(said(kind::EV_EFI_HCRTM_EVENT, b"HCRTM"), "HCRTM");
    assert!(said(kind::EV_EFI_HCRTM_EVENT, b"HCRTM\0").starts_with("malformed"));
    assert_eq!(
        said(kind::EV_OMIT_BOOT_DEVICE_EVENTS, b"BOOT ATTEMPTS OMITTED"),
        "BOOT ATTEMPTS OMITTED"
    );
}

#[test]
fn words_that_extend_nothing() {
    let no_action = |payload: &[u8]| said(kind::EV_NO_ACTION, payload);
    let vendor = [&0x157_u32.to_le_bytes()[..], &[0xab; 16]].concat();
    let names = [
        named(b"Maker"),
        named(b"Model"),
        named(b"1"),
        named(b"Firm"),
    ]
    .concat();
    let names = [names, 7_u32.to_le_bytes().to_vec(), named(b"0.7")].concat();
    let locator = |kind: u32, place: &[u8]| {
        let len = u32::try_from(place.len()).unwrap();
        [&kind.to_le_bytes()[..], &len.to_le_bytes(), place].concat()
    };
    let first = [&b"SP800-155 Event\0"[..], &vendor].concat();
    let second = [&b"SP800-155 Event2"[..], &vendor, &names].concat();
    let locators = [locator(1, b"https://rim"), locator(0, b"")].concat();
    let third = [&b"SP800-155 Event3"[..], &vendor, &names, &locators].concat();
    let manifest = "reference manifest abababab-abab-abab-abab-abababababab";
    assert_eq!(no_action(&first), manifest);
    assert_eq!(no_action(&second), format!("{manifest} Model"));
    let Payload::NoAction(NoAction::Platform(platform)) = Payload::read(kind::EV_NO_ACTION, &third)
    else {
        panic!("no platform");
    };
    assert_eq!(platform.vendor, 0x157);
    assert_eq!(platform.locators.unwrap()[0].place, b"https://rim");
    assert_eq!(platform.names.unwrap().firmware_version, b"0.7");
    for cut in [&first, &second, &third] {
        assert!(no_action(&cut[..cut.len() - 1]).starts_with("malformed"));
    }
    assert_eq!(no_action(b"StartupLocality\0\x03"), "StartupLocality 3");
    let instance = [
        &b"NvIndexInstance\0"[..],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        b"data",
    ]
    .concat();
    assert_eq!(no_action(&instance), "NvIndexInstance, 4 bytes");
    let mut dynamic = b"NvIndexDynamic\0\0".to_vec();
    dynamic.extend([1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    dynamic.extend(b"card\x02\0\x01\x02");
    assert_eq!(no_action(&dynamic), "NvIndexDynamic 9 card");
    assert_eq!(
        no_action(b"some vendor's  \0rest"),
        "some vendor's  , 4 bytes"
    );
    assert!(no_action(b"short").starts_with("malformed"));
}

#[test]
fn measurements_of_devices() {
    let mut first = b"SPDM Device Sec\0".to_vec();
    first.extend([1, 0, 40, 0, 0x0b, 0, 0, 0, 1, 0, 0, 0]);
    first.extend([0xcc; 24]);
    let blob = kind::EV_EFI_SPDM_FIRMWARE_BLOB;
    assert_eq!(said(blob, &first), "a device's measurement, 24 bytes");
    let path = [node(1, 1, &[0, 5]), END.to_vec()].concat();
    let mut rest = [1_u32, 0, 3].map(u32::to_le_bytes).concat();
    rest.extend(77_u64.to_le_bytes());
    rest.extend((path.len() as u64).to_le_bytes());
    rest.extend([&path[..], b"bodcontext"].concat());
    let mut second = b"SPDM Device Sec2".to_vec();
    second.extend([2, 0, 0, 0]);
    second.extend(u32::try_from(rest.len()).unwrap().to_le_bytes());
    second.extend(&rest);
    let Payload::Device(device) = Payload::read(kind::EV_EFI_SPDM_FIRMWARE_CONFIG, &second) else {
        panic!("no device");
    };
    assert_eq!(
        (device.body, device.context),
        (&b"bod"[..], &b"context"[..])
    );
    let more = device.second.unwrap();
    assert_eq!(
        (more.auth_state, more.uid, more.path.to_string()),
        (0, 77, "Pci(0x5,0x0)".into())
    );
    second.push(0);
    assert!(said(blob, &second).starts_with("malformed"));
    let policy = variable(SECURITY, "devdb", &[]);
    assert!(said(kind::EV_EFI_SPDM_DEVICE_POLICY, &policy).starts_with("devdb"));
}

fn types() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..0x14_u32,
        (0..0xe5_u32).prop_map(|low| kind::EV_EFI_EVENT_BASE + low)
    ]
}

proptest! {
    #[test]
    fn any_payload_is_decoded_or_malformed(
        event_type in types(),
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let payload = Payload::read(event_type, &bytes);
        prop_assert!(!payload.to_string().contains(char::is_control));
    }
}
