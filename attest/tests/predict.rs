//! Predictions against the programs that build and sign such images: the digest that sbsign puts
//! into a signature, and systemd-measure's PCR 11. Recipe: tests/predict/recipe.sh
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use casemate_attest::digest::Digest;
use casemate_attest::predict::pcr7::Databases;
use casemate_attest::predict::pcr11::Stub;
use casemate_attest::predict::{PeImage, PredictError, pcr4, pcr7, pcr11, pcr12};
use casemate_attest::release::ExpectedEvent;
use stand::{certificates, hashes};

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/predict");
    fs::read(folder.join(name)).unwrap()
}

fn value<'e>(events: impl IntoIterator<Item = &'e ExpectedEvent>) -> Digest {
    events.into_iter().fold(Digest::ZERO, |value, event| {
        Digest::of_parts(&[value.as_bytes(), event.digests[0].as_bytes()])
    })
}

#[test]
fn the_digest_is_the_one_that_the_signer_signed() {
    let uki = file("uki.efi");
    let image = PeImage::read(&uki).unwrap();
    let digest = image.authenticode();
    // SpcIndirectDataContent ends in the digest, an OCTET STRING of 32 bytes.
    let signed = [&[0x04, 0x20], &digest.as_bytes()[..]].concat();
    assert!(image.certificates().windows(34).any(|part| part == signed));
    let events = pcr4::predict(&[("UKI", &image)]);
    assert_eq!(events.len(), 3);
    assert_eq!(events[2].digests, [digest]);
}

#[test]
fn pcr_11_is_the_one_that_systemd_measure_calculates() {
    let uki = file("uki.efi");
    let image = PeImage::read(&uki).unwrap();
    let calculated = String::from_utf8(file("pcr11.txt")).unwrap();
    let calculated: Vec<&str> = calculated
        .lines()
        .filter_map(|line| line.strip_prefix("11:sha256="))
        .collect();
    for stub in [Stub::V252, Stub::V257] {
        let mut events = pcr11::predict(&image, stub).unwrap();
        let phases = pcr11::phases();
        let mut predicted = vec![value(&events)];
        events.push(phases[0].clone());
        predicted.push(value(&events));
        events.extend_from_slice(&phases[1..3]);
        predicted.push(value(&events));
        let predicted: Vec<String> = predicted.iter().map(ToString::to_string).collect();
        assert_eq!(predicted, calculated);
    }
}

/// A byte changed anywhere: another digest, no image any more, or a byte of what Authenticode
/// leaves out: the checksum, the certificates and where they are.
#[test]
fn every_byte_of_an_image_counts() {
    let uki = file("uki.efi");
    let image = PeImage::read(&uki).unwrap();
    let digest = image.authenticode();
    let certificates = uki.len() - image.certificates().len();
    let optional = u32::from_le_bytes(uki[0x3c..0x40].try_into().unwrap()) as usize + 24;
    for at in 0..uki.len() {
        let mut changed = uki.clone();
        changed[at] ^= 1;
        let free = (optional + 64..optional + 68).contains(&at)
            || (optional + 144..optional + 152).contains(&at)
            || at >= certificates;
        if let Ok(image) = PeImage::read(&changed) {
            assert_eq!(image.authenticode() == digest, free, "byte {at:#x}");
        }
    }
    for end in 0..uki.len() {
        let cut = PeImage::read(&uki[..end]);
        assert!(cut.is_err(), "cut at {end:#x}");
    }
}

#[test]
fn sections_of_one_name_are_refused() {
    let mut uki = file("uki.efi");
    let at = uki
        .windows(8)
        .position(|part| part == b".initrd\0")
        .unwrap();
    uki[at..at + 8].copy_from_slice(b".osrel\0\0");
    let image = PeImage::read(&uki).unwrap();
    assert!(matches!(
        pcr11::predict(&image, Stub::V257),
        Err(PredictError::Sections(_))
    ));
    assert_eq!(image.section(".osrel"), None);
}

#[test]
fn a_section_over_another_is_refused() {
    let mut uki = file("uki.efi");
    let name = uki
        .windows(8)
        .position(|part| part == b".initrd\0")
        .unwrap();
    let other = uki.windows(8).position(|part| part == b".cmdline").unwrap();
    let place: Vec<u8> = uki[other + 20..other + 24].to_vec();
    uki[name + 20..name + 24].copy_from_slice(&place);
    assert!(PeImage::read(&uki).is_err());
}

fn databases(db: Vec<u8>) -> Databases {
    Databases {
        pk: certificates(&[b"platform key"]),
        kek: certificates(&[b"exchange key"]),
        db,
        dbx: Vec::new(),
    }
}

#[test]
fn the_authority_is_the_certificate_that_the_signature_carries() {
    let uki = file("uki.efi");
    let image = PeImage::read(&uki).unwrap();
    let key = file("db.der");
    let db = [certificates(&[b"another key"]), certificates(&[&key])].concat();
    let events = pcr7::predict(&databases(db), &image).unwrap();
    let authority = [&[0; 16][..], &key].concat();
    let data = stand::variable(&stand::SECURITY, "db", &authority);
    assert_eq!(events.last().unwrap().digests, [Digest::of(&data)]);
    assert_eq!(events.len(), 7);
    let own = databases(hashes(&[*image.authenticode().as_bytes()]));
    pcr7::predict(&own, &image).unwrap();
    for (db, count) in [
        (certificates(&[b"another key"]), 0),
        (certificates(&[&key, &key]), 2),
    ] {
        let error = pcr7::predict(&databases(db), &image).unwrap_err();
        assert_eq!(error, PredictError::Authority { count });
    }
    let error = pcr7::predict(&databases(vec![1]), &image).unwrap_err();
    assert_eq!(error.code().id, "predict.database");
}

#[test]
fn pcr_12_is_empty_without_a_command_line() {
    assert_eq!(pcr12::predict(None), []);
    let measured = pcr12::predict(Some("a"));
    assert_eq!(measured[0].digests, [Digest::of(&[b'a', 0, 0, 0])]);
}

fn attest(arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/predict");
    Command::new(env!("CARGO_BIN_EXE_attest"))
        .arg("predict")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_command_prints_registers_with_their_events() {
    let output = attest(&["--uki", "uki.efi", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let registers = json["registers"].as_array().unwrap();
    let numbers: Vec<u64> = registers
        .iter()
        .map(|r| r["pcr"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [4, 11, 12, 13], "7 needs the keys");
    let calculated = String::from_utf8(file("pcr11.txt")).unwrap();
    let value = registers[1]["value"].as_str().unwrap();
    assert!(calculated.contains(value));
    assert_eq!(registers[1]["tail"].as_array().unwrap().len(), 5);
    let text = attest(&["--uki", "uki.efi"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("PCR 11  {value}")), "{text}");
    let refused = attest(&["--uki", "db.der"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("code predict.image"), "{said}");
}
