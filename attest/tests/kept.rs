//! What the auditor keeps besides: a revocation list, other releases, the log of enrolment.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::digest::Digest;
use casemate_attest::enrolment::Root;
use casemate_attest::release::key_id;
use casemate_attest::revocations::{Entry, Kind, OLD_MS, Revocations};
use casemate_attest::verdict::Verdict;
use casemate_attest::verify::Verifier;
use casemate_attest::x509::{Authorities, Certificate};
use stand::{Events, NOW, SECURITY, Stand, firmware_events, firmware_log, hashes, variable};

/// The verdict of a verifier that was given something.
fn judged(stand: &Stand, give: impl FnOnce(&mut Verifier<'_>)) -> Verdict {
    let auditor = stand.auditor();
    let evidence = stand.evidence(&auditor.challenge).to_bytes();
    let mut verifier = Verifier::new(stand.inputs(&auditor)).unwrap();
    give(&mut verifier);
    verifier.judge(&evidence).unwrap()
}

fn list(stand: &Stand, issued_ms: u64, floor: u64, revoked: &[(Kind, Digest)]) -> Vec<u8> {
    let entry = |(kind, value): &(Kind, Digest)| Entry {
        kind: *kind,
        value: *value,
        reason: "stolen".to_owned(),
    };
    let entries = revoked.iter().map(entry).collect();
    let list = Revocations::new(7, issued_ms, floor, entries);
    list.sign(&stand.owner).unwrap()
}

/// The same manifest in the other spelling of its signature, which anybody can make.
fn twin(manifest: &[u8]) -> Vec<u8> {
    let (before, signature) = manifest.split_at(manifest.len() - 64);
    let signature = p256::ecdsa::Signature::from_slice(signature).unwrap();
    let (r, s) = signature.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    [before, &other.to_bytes()].concat()
}

#[test]
fn what_the_owner_revoked_is_refused() {
    let stand = Stand::default();
    let manifest = stand.signed_release(&stand.release_key, NOW + 1_000_000);
    let cases = [
        (
            Kind::ReleaseKey,
            key_id(stand.release_key.verifying_key()),
            "release.key-revoked",
        ),
        (Kind::Release, Digest::of(&manifest), "release.revoked"),
        (
            Kind::Release,
            Digest::of(&twin(&manifest)),
            "release.revoked",
        ),
        (
            Kind::AttestationKey,
            Digest::of(&stand.ak_public()),
            "ak.revoked",
        ),
    ];
    for (kind, value, code) in cases {
        let list = list(&stand, NOW, 0, &[(kind, value)]);
        let verdict = judged(&stand, |verifier| verifier.revoke(&list).unwrap());
        assert_eq!(verdict.failures(), [code]);
        assert!(verdict.text().contains("stolen"), "{}", verdict.text());
    }
    let others = [(Kind::Release, Digest::of(&stand.ak_public()))];
    let list = list(&stand, NOW, 1, &others);
    let verdict = judged(&stand, |verifier| verifier.revoke(&list).unwrap());
    assert_eq!(verdict.failures(), [""; 0]);
    let text = verdict.text();
    assert!(text.contains("List 7, 0 days old, 1 entries."), "{text}");
}

/// The TPM's certificate is by an intermediate authority, and that one by a root.
#[test]
fn an_authority_is_revoked_wherever_it_stands_in_the_path() {
    let file = |name: &str| {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/selftest/vectors/certificates"
        );
        std::fs::read(std::path::Path::new(folder).join(name)).unwrap()
    };
    let read = |name: &str| Certificate::read(&file(name)).unwrap();
    let (root, between) = (read("swtpm-root.der"), read("swtpm-intermediate.der"));
    assert_eq!(between.issuer_digest(), root.subject_digest());
    let mut authorities = Authorities::default();
    authorities.add_roots(&file("swtpm-root.der")).unwrap();
    let intermediate = file("swtpm-intermediate.der");
    authorities.add_intermediates(&intermediate).unwrap();
    let stand = Stand {
        certified: Some((file("swtpm-p256.public"), file("swtpm-p256.der"))),
        root: Root::SwtpmCa,
        ..Stand::default()
    };
    let judge = |revoked: Digest, authorities: Option<&Authorities>| {
        let auditor = stand.auditor();
        let evidence = stand.evidence(&auditor.challenge).to_bytes();
        let mut verifier = Verifier::new(stand.inputs(&auditor)).unwrap();
        if let Some(authorities) = authorities {
            verifier.trust(authorities);
        }
        let list = list(&stand, NOW, 0, &[(Kind::EndorsementCa, revoked)]);
        verifier.revoke(&list).unwrap();
        verifier.judge(&evidence).unwrap().line()
    };
    for (authority, name) in [(&between, "the issuer"), (&root, "its root")] {
        let line = judge(authority.subject_digest(), Some(&authorities));
        assert_eq!(line, "FAIL: ek.ca-revoked", "{name}");
    }
    let stranger = read("test-root.der").subject_digest();
    let line = judge(stranger, Some(&authorities));
    assert_eq!(line, "PASS (software TPM root)");
    // Without authorities nothing above the issuer is known, and that is said.
    let line = judge(between.subject_digest(), None);
    assert_eq!(line, "FAIL: ek.ca-revoked");
    let line = judge(root.subject_digest(), None);
    assert!(line.starts_with("CONDITIONAL"), "{line}");
    assert!(line.ends_with("ek.ca-untraced"), "{line}");
}

#[test]
fn a_release_below_the_floor_is_refused() {
    let stand = Stand::default();
    let list = list(&stand, NOW, 2, &[]);
    let verdict = judged(&stand, |verifier| verifier.revoke(&list).unwrap());
    assert_eq!(verdict.failures(), ["release.floor"]);
}

#[test]
fn an_old_list_is_warned_of() {
    let stand = Stand::default();
    let list = list(&stand, NOW - OLD_MS - 1, 0, &[]);
    let verdict = judged(&stand, |verifier| verifier.revoke(&list).unwrap());
    assert_eq!(verdict.failures(), [""; 0]);
    let text = verdict.text();
    assert!(text.contains("revocations.old"), "{text}");
    assert!(text.contains("List 7, 30 days old, 0 entries."), "{text}");
}

#[test]
fn a_list_of_a_stranger_or_with_a_byte_changed_is_refused() {
    let stand = Stand::default();
    let good = list(&stand, NOW, 0, &[(Kind::Release, Digest::of(b"x"))]);
    let owner = stand.owner.verifying_key();
    Revocations::verify(&good, &owner).unwrap();
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let other = Revocations::new(8, NOW, 0, vec![]).sign(&stranger).unwrap();
    let error = Revocations::verify(&other, &owner).unwrap_err();
    assert_eq!(error.code().id, "revocations.signature");
    for at in 0..good.len() {
        let mut altered = good.clone();
        altered[at] ^= 1;
        assert!(Revocations::verify(&altered, &owner).is_err(), "byte {at}");
    }
}

/// An older list does not take the place of a newer one.
#[test]
fn the_newer_of_two_lists_counts() {
    let stand = Stand::default();
    let (newer, older) = (
        Revocations::new(2, NOW, 2, vec![])
            .sign(&stand.owner)
            .unwrap(),
        Revocations::new(1, NOW, 0, vec![])
            .sign(&stand.owner)
            .unwrap(),
    );
    let verdict = judged(&stand, |verifier| {
        verifier.revoke(&newer).unwrap();
        verifier.revoke(&older).unwrap();
    });
    assert_eq!(verdict.failures(), ["release.floor"]);
}

fn replaced(name: &str, data: Vec<u8>) -> Events {
    let mut events = firmware_events();
    let event = events.iter_mut().find(|event| event.2 == name).unwrap();
    event.3 = data;
    events
}

/// The machine runs another release than the one that its evidence names.
#[test]
fn the_release_that_a_register_does_match_is_named() {
    let events = replaced(".initrd", b"another initrd".to_vec());
    let shipped = Stand {
        blessed: Some(events.clone()),
        ..Stand::default()
    };
    let manifest = shipped.signed_release(&shipped.release_key, NOW);
    let stand = Stand {
        firmware: firmware_log(&events),
        ..Stand::default()
    };
    let verdict = judged(&stand, |verifier| verifier.ship(&manifest).unwrap());
    assert_eq!(verdict.failures(), ["register.event"]);
    let text = verdict
        .text()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(text.contains("is not .initrd: expected"), "{text}");
    let named = "the register matches the release casemate 0.1.0 (number 1)";
    assert!(text.contains(named), "{text}");
    let unknown = judged(&stand, |_| ());
    assert!(!unknown.text().contains("matches"));
}

#[test]
fn a_manifest_of_a_stranger_is_not_shipped() {
    let stand = Stand::default();
    let stranger = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let manifest = stand.signed_release(&stranger, NOW);
    judged(&stand, |verifier| {
        assert!(verifier.ship(&manifest).is_err());
    });
}

/// The log of enrolment, and a machine that became another one: what changed is said.
fn changed(name: &str, data: Vec<u8>) -> String {
    let mut now = replaced(name, data);
    let enrolled = firmware_log(&firmware_events());
    if name == "driver" {
        now.insert(0, (2, 0x8000_0004, "driver", b"another rom".to_vec()));
    }
    let stand = Stand {
        firmware: firmware_log(&now),
        enrolled: Some(enrolled.clone()),
        platform_policy: true,
        ..Stand::default()
    };
    let verdict = judged(&stand, |verifier| {
        assert!(verifier.keep_log(enrolled).unwrap())
    });
    assert_eq!(verdict.failures(), ["register.platform"]);
    verdict
        .text()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_difference_since_enrolment_is_explained() {
    let gained = hashes(&[[0xdb; 32], [0xdc; 32]]);
    let text = changed("dbx", variable(&SECURITY, "dbx", &gained));
    assert!(text.contains("register 7: dbx gained one hash"), "{text}");
    let text = changed("firmware version", b"1.1".to_vec());
    assert!(
        text.contains("the firmware's version (1.1) changed: 1.0 before"),
        "{text}"
    );
    let text = changed("driver", b"option rom".to_vec());
    assert!(text.contains("came new"), "{text}");
}

#[test]
fn a_log_that_is_not_of_the_enrolment_is_not_kept() {
    let stand = Stand::default();
    judged(&stand, |verifier| {
        let another = firmware_log(&replaced("driver", b"another".to_vec()));
        assert!(!verifier.keep_log(another).unwrap());
        let error = verifier.keep_log(b"no log".to_vec()).unwrap_err();
        assert_eq!(error.code().id, "log.malformed");
    });
}

/// The register's value is right, an event of it lies about its type.
#[test]
fn a_retyped_event_of_the_platform_is_refused_with_the_log_of_enrolment() {
    let mut retyped = firmware_events();
    let driver = retyped
        .iter_mut()
        .find(|event| event.2 == "driver")
        .unwrap();
    driver.1 = 0x8000_0005;
    let enrolled = firmware_log(&firmware_events());
    let stand = Stand {
        firmware: firmware_log(&retyped),
        enrolled: Some(enrolled.clone()),
        ..Stand::default()
    };
    let verdict = judged(&stand, |verifier| {
        assert!(verifier.keep_log(enrolled).unwrap())
    });
    assert_eq!(verdict.failures(), ["platform.type"]);
}

/// The command: a list is made, goes on, and is used; what is not the owner's is refused.
mod command {
    use super::*;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
    use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    struct Folder(PathBuf);

    impl Folder {
        fn new(stand: &Stand) -> Self {
            let name = format!("attest-kept-{}", std::process::id());
            let folder = Self(std::env::temp_dir().join(name));
            fs::create_dir_all(folder.0.join("releases")).unwrap();
            let owner = stand.owner.to_pkcs8_pem(LineEnding::LF).unwrap();
            folder.write("owner.key", owner.as_bytes());
            let key = stand.release_key.verifying_key();
            let release = key.to_public_key_pem(LineEnding::LF).unwrap();
            folder.write("release.pub", release.as_bytes());
            folder.write("enrolment", &stand.enrolment());
            folder.write("evidence", &stand.evidence(&[]).to_bytes());
            folder.write("firmware.log", &stand.firmware);
            let manifest = stand.signed_release(&stand.release_key, NOW);
            folder.write("releases/one.cose", &manifest);
            folder
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            fs::write(self.0.join(name), bytes).unwrap();
        }

        /// Exit code, and everything that was said.
        fn attest(&self, arguments: &str) -> (i32, String) {
            let output = Command::new(env!("CARGO_BIN_EXE_attest"))
                .args(arguments.split_whitespace())
                .current_dir(&self.0)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            (
                output.status.code().unwrap(),
                String::from_utf8(said).unwrap(),
            )
        }

        fn verify(&self, options: &str) -> (i32, String) {
            let keys = "--enrolment enrolment --owner-key owner.key --release-key release.pub";
            self.attest(&format!("verify evidence {keys} {options}"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_list_is_made_and_used() {
        let stand = Stand::default();
        let folder = Folder::new(&stand);
        let id = key_id(stand.release_key.verifying_key());
        let revoke = "revoke --owner-key owner.key";
        let (exit, said) = folder.attest(&format!("{revoke} --floor 1 --out first"));
        assert_eq!((exit, said.as_str()), (0, "list 1: 0 entries, floor 1\n"));
        let next =
            format!("{revoke} --after first --release-key {id} --reason stolen --out second");
        let (exit, said) = folder.attest(&next);
        assert_eq!((exit, said.as_str()), (0, "list 2: 1 entries, floor 1\n"));
        let (_, said) = folder.verify("--revoked first --releases releases");
        assert!(said.contains("List 1, 0 days old, 0 entries."), "{said}");
        assert!(!said.contains("release.key-revoked"), "{said}");
        let (exit, said) = folder.verify("--revoked second --enrolled-log firmware.log");
        assert_eq!(exit, 1);
        assert!(said.contains("release.key-revoked"), "{said}");
        let (exit, said) = folder.verify("--revoked evidence");
        assert_eq!(exit, 2, "{said}");
        let (exit, said) = folder.verify("--enrolled-log evidence");
        assert_eq!(exit, 2);
        assert!(said.contains("code log."), "{said}");
        let other = firmware_log(&replaced("driver", b"another".to_vec()));
        folder.write("other.log", &other);
        let (exit, said) = folder.verify("--enrolled-log other.log");
        assert_eq!(exit, 1);
        assert!(said.contains("code platform.log"), "{said}");
        // Also when it is the very file that the enrolment names.
        let unread = Stand {
            enrolled: Some(b"no log".to_vec()),
            ..Stand::default()
        };
        folder.write("enrolment", &unread.enrolment());
        folder.write("no.log", b"no log");
        let (exit, said) = folder.verify("--enrolled-log no.log");
        assert_eq!(exit, 2, "{said}");
        assert!(said.contains("code log.malformed"), "{said}");
        folder.write("enrolment", &stand.enrolment());
        folder.write("releases/two.cose", b"no manifest");
        let (exit, said) = folder.verify("--releases releases");
        assert_eq!(exit, 1);
        assert!(said.contains("code release.malformed"), "{said}");
    }
}
