//! Enrolment: what stands behind a TPM, and that a name is one TPM's for good.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use casemate_attest::enrolment::{Enrolment, EnrolmentError, EnrolmentRequest, Root};
use casemate_attest::verify::Verifier;
use casemate_attest::x509::Authorities;
use ed25519_dalek::Signer as _;
use stand::{NOW, Stand};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/selftest/vectors/certificates")
}

fn certificate(name: &str) -> String {
    vectors().join(name).to_str().unwrap().to_owned()
}

/// The stand's request with a real endorsement key and its certificate.
fn request(key: &str, certificate: &str) -> EnrolmentRequest {
    let file = |name: &str| fs::read(vectors().join(name)).unwrap();
    let mut request = Stand::default().request();
    request.ek_public = file(&format!("{key}.public"));
    request.ek_certificate = file(&format!("{certificate}.der"));
    request
}

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("enrolment-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("records")).unwrap();
        Self(path)
    }

    /// Enrols `request` into the folder `records`; exit code and what was said.
    fn enrol(&self, request: &EnrolmentRequest, more: &[&str]) -> (i32, String) {
        fs::write(self.0.join("request"), request.to_bytes()).unwrap();
        let own = if self.0.join("owner").exists() {
            &[][..]
        } else {
            &["--create-owner-key"]
        };
        let output = Command::new(env!("CARGO_BIN_EXE_attest"))
            .current_dir(&self.0)
            .args(["enrol", "--request", "request", "--owner-key", "owner"])
            .args(["--out", "records"])
            .args(own)
            .args(more)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        (output.status.code().unwrap(), said)
    }
}

#[test]
fn a_certified_software_tpm_is_enrolled_as_one() {
    let folder = Folder::new("swtpm");
    let request = request("swtpm-p256", "swtpm-p256");
    let (root, between) = (
        certificate("swtpm-root.der"),
        certificate("swtpm-intermediate.der"),
    );
    let given = ["--ek-root", &root, "--ek-intermediate", &between];
    let with = |kind: &'static str| [&["--root", kind][..], &given].concat();
    // A certificate that says "software" is no hardware's, whoever wishes it.
    let (exit, said) = folder.enrol(&request, &with("hardware"));
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("certificate.software"), "{said}");
    let (exit, said) = folder.enrol(&request, &with("swtpm-ca"));
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("software TPM") && said.contains("swtpm-localca-rootca"),
        "{said}"
    );
    let record = folder
        .0
        .join("records")
        .join(format!("{}.enrolment", request.id()));
    let owner = fs::read_to_string(folder.0.join("owner")).unwrap();
    let owner: ed25519_dalek::SigningKey =
        ed25519_dalek::pkcs8::DecodePrivateKey::from_pkcs8_pem(&owner).unwrap();
    let record = Enrolment::verify(&fs::read(record).unwrap(), &owner.verifying_key()).unwrap();
    assert_eq!(record.root(), Root::SwtpmCa);
    // The name is taken, for the same request and for any other.
    let (exit, said) = folder.enrol(&request, &with("swtpm-ca"));
    assert_eq!(exit, 1);
    assert!(said.contains("enrolment.known"), "{said}");
}

#[test]
fn what_no_chosen_authority_vouches_for_is_not_enrolled() {
    let folder = Folder::new("refused");
    let root = certificate("swtpm-root.der");
    let test_root = certificate("test-root.der");
    let test_inter = certificate("test-inter.der");
    let by_swtpm = ["--root", "swtpm-ca", "--ek-root", &root];
    let by_test = [
        "--root",
        "hardware",
        "--ek-root",
        &test_root,
        "--ek-intermediate",
        &test_inter,
    ];
    for (key, name, more, exit, code) in [
        (
            "swtpm-p256",
            "swtpm-p256",
            &by_swtpm[..],
            1,
            "certificate.issuer",
        ),
        (
            "swtpm-p256",
            "swtpm-p256",
            &["--root", "swtpm-ca"],
            2,
            "usage.root",
        ),
        (
            "swtpm-p256",
            "swtpm-p256",
            &["--ek-root", &root],
            2,
            "usage.root",
        ),
        ("swtpm-p384", "test-good", &by_test, 1, "certificate.key"),
        (
            "swtpm-p256",
            "test-unknown-critical",
            &by_test,
            1,
            "certificate.extension",
        ),
    ] {
        let (found, said) = folder.enrol(&request(key, name), more);
        assert_eq!(found, exit, "{said}");
        assert!(said.contains(code), "{code}: {said}");
    }
    let mut without = request("swtpm-p256", "swtpm-p256");
    without.ek_certificate.clear();
    let (exit, said) = folder.enrol(&without, &by_swtpm);
    assert_eq!(exit, 1);
    assert!(said.contains("certificate.absent"), "{said}");
    let (exit, said) = folder.enrol(&request("swtpm-p256", "test-good"), &by_test);
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("(hardware root)") && said.contains("STM MODEL"),
        "{said}"
    );
    assert_eq!(fs::read_dir(folder.0.join("records")).unwrap().count(), 1);
}

/// A record under the name of one TPM that holds another, signed by the owner's own key: the name
/// is computed, so that it is no record at all.
#[test]
fn a_known_name_cannot_be_registered_with_another_tpm() {
    let stand = Stand::default();
    let (mine, other) = (stand.request(), request("swtpm-p256", "swtpm-p256"));
    let body = |id: &EnrolmentRequest, request: &EnrolmentRequest| {
        let mut encoder = minicbor::Encoder::new(Vec::new());
        encoder
            .array(6)
            .unwrap()
            .str("casemate.enrolment.1")
            .unwrap();
        encoder.bytes(id.id().as_bytes()).unwrap();
        encoder
            .u8(3)
            .unwrap()
            .str("taken over")
            .unwrap()
            .u64(NOW)
            .unwrap();
        encoder.bytes(&request.to_bytes()).unwrap();
        encoder.into_writer()
    };
    let signed = |body: Vec<u8>| {
        let message = [&b"casemate enrolment v1\n"[..], &body].concat();
        let signature = stand.owner.sign(&message).to_bytes();
        let mut encoder = minicbor::Encoder::new(Vec::new());
        encoder.array(3).unwrap().bytes(&body).unwrap();
        encoder
            .bytes(stand.owner.verifying_key().as_bytes())
            .unwrap();
        encoder.bytes(&signature).unwrap();
        encoder.into_writer()
    };
    let verify = |bytes: &[u8]| Enrolment::verify(bytes, &stand.owner.verifying_key());
    let honest = verify(&signed(body(&mine, &mine))).unwrap();
    assert_eq!(honest.id(), &mine.id());
    let error = verify(&signed(body(&mine, &other))).unwrap_err();
    assert!(matches!(error, EnrolmentError::Name { .. }), "{error}");
    assert_eq!(error.code().id, "enrolment.name");
    // Another TPM is another name.
    assert_ne!(mine.id(), other.id());
}

#[test]
fn a_record_that_claims_a_certificate_holds_one() {
    let stand = Stand::default();
    for (root, certified) in [
        (Root::Development, false),
        (Root::FirstUse, false),
        (Root::SwtpmCa, true),
        (Root::HardwareEk, true),
    ] {
        let record = Enrolment::sign(&stand.request(), root, "", NOW, &stand.owner);
        let found = Enrolment::verify(&record, &stand.owner.verifying_key());
        assert_eq!(found.is_err(), certified, "{root:?}");
        if let Err(error) = found {
            assert_eq!(error.code().id, "enrolment.root");
        }
    }
}

/// The auditor's own authorities: what the owner wrote in the record is held against them.
#[test]
fn an_auditor_chooses_who_must_vouch_for_a_tpm() {
    let file = |name: &str| fs::read(vectors().join(name)).unwrap();
    let certified = |root, certificate: &str| Stand {
        certified: Some((file("swtpm-p256.public"), file(certificate))),
        root,
        ..Stand::default()
    };
    let authorities = |root: &str, between: &str| {
        let mut authorities = Authorities::default();
        authorities.add_roots(&file(root)).unwrap();
        authorities.add_intermediates(&file(between)).unwrap();
        authorities
    };
    let swtpm = authorities("swtpm-root.der", "swtpm-intermediate.der");
    let test = authorities("test-root.der", "test-inter.der");
    let judge = |stand: &Stand, authorities: Option<&Authorities>| {
        let auditor = stand.auditor();
        let evidence = stand.evidence(&auditor.challenge).to_bytes();
        let mut verifier = Verifier::new(stand.inputs(&auditor)).unwrap();
        if let Some(authorities) = authorities {
            verifier.trust(authorities);
        }
        let verdict = verifier.judge(&evidence).unwrap();
        (verdict.line(), verdict.failures())
    };
    let software = certified(Root::SwtpmCa, "swtpm-p256.der");
    let passes = ("PASS (software TPM root)".to_owned(), vec![]);
    assert_eq!(judge(&software, None), passes);
    assert_eq!(judge(&software, Some(&swtpm)), passes);
    assert_eq!(judge(&software, Some(&test)).1, ["certificate.issuer"]);
    // The owner's record says hardware, the certificate says otherwise.
    let lie = certified(Root::HardwareEk, "swtpm-p256.der");
    assert_eq!(judge(&lie, Some(&swtpm)).1, ["certificate.software"]);
    let hardware = certified(Root::HardwareEk, "test-good.der");
    assert_eq!(judge(&hardware, Some(&test)).0, "PASS (hardware root)");
    // Who asks for an authority gets no TPM without one, whatever the record says.
    assert_eq!(
        judge(&Stand::default(), Some(&test)).1,
        ["certificate.absent"]
    );
}

/// A genuine endorsement key, written in another way: the same TPM opens credentials for it.
fn other_spellings() -> Vec<(&'static str, Vec<u8>)> {
    let file = |name: &str| fs::read(vectors().join(name)).unwrap();
    let changed = |name: &str, at: usize, to: &[u8]| {
        let mut public = file(name);
        public[at..at + to.len()].copy_from_slice(to);
        public
    };
    let resized = |name: &str, from: std::ops::Range<usize>, to: &[u8]| {
        let mut public = file(name);
        public.splice(from, to.iter().copied());
        let size = u16::try_from(public.len() - 2).unwrap().to_be_bytes();
        public[..2].copy_from_slice(&size);
        public
    };
    let mut high = file("swtpm-p384.public");
    high.splice(4..60, file("swtpm-p256.public")[4..44].to_vec());
    let size = u16::try_from(high.len() - 2).unwrap().to_be_bytes();
    high[..2].copy_from_slice(&size);
    // Behind the size: kind, hash of the Name, attributes at 6, policy at 10.
    vec![
        (
            "attributes",
            changed("swtpm-p256.public", 6, &[0, 3, 0, 0xf2]),
        ),
        ("another policy", changed("swtpm-p256.public", 20, &[0; 4])),
        ("no policy", resized("swtpm-p256.public", 10..44, &[0, 0])),
        ("another hash", changed("swtpm-p256.public", 4, &[0, 0x0d])),
        ("AES-256", changed("swtpm-p256.public", 46, &[1, 0])),
        (
            "the exponent",
            changed("swtpm-rsa.public", 54, &[0, 1, 0, 1]),
        ),
        (
            "RSA attributes",
            changed("swtpm-rsa.public", 6, &[0, 3, 4, 0xb2]),
        ),
        ("the low range's area of a P-384 key", high),
    ]
}

#[test]
fn a_key_has_one_spelling_and_a_tpm_one_name() {
    let folder = Folder::new("spelling");
    for name in [
        "swtpm-p256",
        "swtpm-p384",
        "swtpm-rsa",
        "infineon-ecc",
        "infineon-rsa",
        "stm",
    ] {
        let (exit, said) = folder.enrol(&request(name, name), &["--root", "first-use"]);
        assert_eq!(exit, 0, "{name}: {said}");
    }
    for (what, public) in other_spellings() {
        let mut request = request("swtpm-p256", "swtpm-p256");
        request.ek_public = public.clone();
        let (exit, said) = folder.enrol(&request, &["--root", "first-use"]);
        assert_eq!(exit, 1, "{what}: {said}");
        assert!(said.contains("ek.template"), "{what}: {said}");
        // The owner signs such a record without this program, and so it is the auditor who refuses.
        let stand = Stand {
            certified: Some((public, Vec::new())),
            ..Stand::default()
        };
        let auditor = stand.auditor();
        let evidence = stand.evidence(&auditor.challenge).to_bytes();
        let verdict = stand.judge(&auditor, &evidence).unwrap();
        assert_eq!(verdict.failures(), ["ek.template"], "{what}");
    }
}
