//! Endorsement certificates: real ones of vendors and of swtpm, and ones that nobody may accept
//! (recipe in src/selftest/vectors/certificates).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};

use casemate_attest::tpm::public::Public;
use casemate_attest::x509::{
    Authorities, Certificate, Chain, ChainError, Policy, VerifiedCertificate,
};

/// January 2027.
const NOW: u64 = 1_800_000_000_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/selftest/vectors/certificates")
}

fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

fn ek(name: &str) -> Public {
    Public::from_sized(&file(&format!("{name}.public"))).unwrap()
}

fn authorities(roots: &[&str], intermediates: &[&str]) -> Authorities {
    let mut authorities = Authorities::default();
    for name in roots {
        authorities.add_roots(&file(name)).unwrap();
    }
    for name in intermediates {
        authorities.add_intermediates(&file(name)).unwrap();
    }
    authorities
}

fn verify(
    certificate: &[u8],
    key: &str,
    authorities: &Authorities,
) -> Result<VerifiedCertificate, ChainError> {
    Chain::verify(certificate, authorities, &ek(key), Policy { at_ms: NOW })
}

fn code(result: Result<VerifiedCertificate, ChainError>) -> &'static str {
    result.map_or_else(|error| error.code().id, |_| "accepted")
}

/// `test-<name>.der`, for the P-256 key, by the test's own authorities.
fn test(name: &str, intermediates: &[&str]) -> Result<VerifiedCertificate, ChainError> {
    let authorities = authorities(&["test-root.der"], intermediates);
    verify(
        &file(&format!("test-{name}.der")),
        "swtpm-p256",
        &authorities,
    )
}

/// A TPM of 2014: what it says of itself is read, its SHA-1 signature is refused.
#[test]
fn a_real_certificate_signed_with_sha1() {
    let all = ["stm-intermediate.der", "stm-root.der"];
    let stm = authorities(&["globalsign-root.der"], &all);
    let error = verify(&file("stm.der"), "stm", &stm).unwrap_err();
    assert_eq!(error.code().id, "certificate.algorithm");
    assert!(
        error.to_string().contains("1.2.840.113549.1.1.5"),
        "{error}"
    );
}

#[test]
fn certificates_of_a_software_tpm() {
    let authorities = authorities(&["swtpm-root.der"], &["swtpm-intermediate.der"]);
    for key in ["swtpm-rsa", "swtpm-p384", "swtpm-p256"] {
        let found = verify(&file(&format!("{key}.der")), key, &authorities).unwrap();
        assert!(found.model().unwrap().is_software(), "{key}");
        assert!(!found.has_expired(), "{key}");
    }
}

#[test]
fn the_certificates_of_real_tpms_are_read() {
    for (key, other) in [
        ("infineon-rsa", "infineon-ecc"),
        ("infineon-ecc", "infineon-rsa"),
    ] {
        let none = authorities(&["globalsign-root.der"], &[]);
        let error = verify(&file(&format!("{key}.der")), key, &none).unwrap_err();
        assert_eq!(error.code().id, "certificate.issuer");
        assert!(
            error.to_string().contains("Manufacturing CA 035"),
            "{error}"
        );
        let error = verify(&file(&format!("{key}.der")), other, &none).unwrap_err();
        assert_eq!(error.code().id, "certificate.key");
    }
}

/// A TPM's NV index is larger than the certificate in it.
#[test]
fn padding_behind_a_certificate() {
    let authorities = authorities(&["swtpm-root.der"], &["swtpm-intermediate.der"]);
    let padded = |padding: &[u8]| {
        let bytes = [&file("swtpm-p256.der")[..], padding].concat();
        code(verify(&bytes, "swtpm-p256", &authorities))
    };
    assert_eq!(padded(&[]), "accepted");
    assert_eq!(padded(&[0xff; 430]), "accepted");
    assert_eq!(padded(&[0; 430]), "accepted");
    assert_eq!(padded(&[0xff, 0x00]), "certificate.trailing");
    assert_eq!(padded(&[0x30]), "certificate.trailing");
    assert_eq!(padded(&file("swtpm-p256.der")), "certificate.trailing");
}

#[test]
fn the_year_9999_and_other_ends() {
    let found = test("good", &["test-inter.der"]).unwrap();
    assert!(!found.has_expired());
    assert_eq!(
        found.model().unwrap().to_string(),
        "STM MODEL, version 00010002"
    );
    assert!(test("expired", &["test-inter.der"]).unwrap().has_expired());
    let test = authorities(&["test-root.der"], &["test-inter.der"]);
    let at = |year: u64| {
        let at_ms = (year - 1970) * 31_556_952_000;
        let certificate = file("test-good.der");
        code(Chain::verify(
            &certificate,
            &test,
            &ek("swtpm-p256"),
            Policy { at_ms },
        ))
    };
    assert_eq!(at(2020), "certificate.date");
    assert_eq!(at(2100), "accepted");
    // The authorities end in 2126: nobody keeps their keys any more.
    assert_eq!(at(2150), "certificate.date");
    let swtpm = authorities(&["swtpm-root.der"], &["swtpm-intermediate.der"]);
    let last = 253_402_300_799_000;
    let policy = Policy { at_ms: last };
    let found = Chain::verify(&file("swtpm-p256.der"), &swtpm, &ek("swtpm-p256"), policy);
    assert_eq!(code(found), "accepted");
}

#[test]
fn what_nobody_may_accept() {
    let inter = &["test-inter.der"][..];
    for (name, intermediates, expected) in [
        ("good", inter, "accepted"),
        ("good", &[], "certificate.issuer"),
        ("unknown-critical", inter, "certificate.extension"),
        ("other-use", inter, "certificate.usage"),
        ("signing-key", inter, "certificate.usage"),
        ("sha1-signed", inter, "certificate.algorithm"),
        (
            "by-no-authority",
            &["test-inter.der", "test-no-authority.der"],
            "certificate.authority",
        ),
        (
            "too-long",
            &["test-short.der", "test-below.der"],
            "certificate.authority",
        ),
    ] {
        assert_eq!(code(test(name, intermediates)), expected, "{name}");
    }
    let error = test("unknown-critical", inter).unwrap_err().to_string();
    assert!(error.contains("1.3.6.1.4.1.99999.1"), "{error}");
    // An authority's certificate is none of a TPM, and no root is no trust.
    assert_eq!(code(test("inter", inter)), "certificate.usage");
    let nothing = authorities(&[], inter);
    assert_eq!(
        code(verify(&file("test-good.der"), "swtpm-p256", &nothing)),
        "certificate.issuer"
    );
    assert_eq!(
        code(verify(&[], "swtpm-p256", &nothing)),
        "certificate.absent"
    );
}

/// An authority of the right name and another key.
#[test]
fn a_forged_issuer_of_the_same_name() {
    let real = authorities(&["test-root.der"], &["test-inter.der"]);
    let genuine = file("test-good.der");
    let mut other_bits = genuine.clone();
    *other_bits.last_mut().unwrap() ^= 1;
    assert_eq!(
        code(verify(&other_bits, "swtpm-p256", &real)),
        "certificate.signature"
    );
    // Many intermediates of one name: the search ends.
    let mut many = authorities(&["swtpm-root.der"], &[]);
    for at in 0..60_u8 {
        // Another serial number makes another certificate, whose signature does not hold.
        let mut one = file("test-inter.der");
        let serial = one.windows(2).position(|two| two == [0x10, 0x02]).unwrap();
        one[serial + 1] = at;
        many.add_intermediates(&one).unwrap();
    }
    let found = code(verify(&genuine, "swtpm-p256", &many));
    assert!(
        ["certificate.depth", "certificate.issuer"].contains(&found),
        "{found}"
    );
}

#[test]
fn no_bit_of_a_certificate_can_be_flipped() {
    for (name, key, roots, intermediates) in [
        (
            "test-good.der",
            "swtpm-p256",
            "test-root.der",
            "test-inter.der",
        ),
        (
            "swtpm-rsa.der",
            "swtpm-rsa",
            "swtpm-root.der",
            "swtpm-intermediate.der",
        ),
    ] {
        let authorities = authorities(&[roots], &[intermediates]);
        let genuine = file(name);
        for at in 0..genuine.len() {
            let mut bytes = genuine.clone();
            bytes[at] ^= 1;
            assert_ne!(
                code(verify(&bytes, key, &authorities)),
                "accepted",
                "{name} byte {at}"
            );
        }
    }
}

#[test]
fn files_of_authorities() {
    let mut bundle = Authorities::default();
    bundle.add_intermediates(&file("test-bundle.pem")).unwrap();
    bundle.add_roots(&file("test-root.der")).unwrap();
    assert!(verify(&file("test-good.der"), "swtpm-p256", &bundle).is_ok());
    let two = [file("test-root.der"), file("swtpm-root.der")].concat();
    let mut der = Authorities::default();
    der.add_roots(&two).unwrap();
    assert_eq!(der.roots().len(), 2);
    let crlf = String::from_utf8(file("test-bundle.pem"))
        .unwrap()
        .replace('\n', "\r\n");
    Authorities::default().add_roots(crlf.as_bytes()).unwrap();
    for bad in [
        &b""[..],
        b"text",
        b"-----BEGIN CERTIFICATE-----\nAAAA",
        &[0x30, 0x82],
    ] {
        let error = Authorities::default().add_roots(bad).unwrap_err();
        assert_eq!(error.code().id, "certificate.malformed");
    }
}

/// Roots of vendors are read, each with the key that it has.
#[test]
fn every_certificate_of_the_folder_is_read() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "der") {
            let certificate = Certificate::read(&fs::read(&path).unwrap()).unwrap();
            certificate.key().unwrap();
        }
    }
}
