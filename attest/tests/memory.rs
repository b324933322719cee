//! Memory: an evidence file as large as any costs no more than a few times its size.
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

use casemate_attest::evidence::{Body, Evidence, MAX_EVIDENCE, Statement};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use stand::Stand;

/// What a verifier may have altogether, in KiB: its own code and threads, and few times 16 MiB.
const ALLOWED: u32 = 200 * 1024;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new(stand: &Stand) -> Self {
        let folder = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory"));
        fs::create_dir_all(&folder.0).unwrap();
        let pem = stand
            .owner
            .verifying_key()
            .to_public_key_pem(LineEnding::LF);
        fs::write(folder.0.join("owner.pub"), pem.unwrap()).unwrap();
        let key = stand.release_key.verifying_key();
        let pem = key.to_public_key_pem(LineEnding::LF).unwrap();
        fs::write(folder.0.join("release.pub"), pem).unwrap();
        fs::write(folder.0.join("enrolment"), stand.enrolment()).unwrap();
        folder
    }

    /// Exit code and all that was said, with so much memory and no more.
    fn verify(&self, evidence: &[u8]) -> (Option<i32>, String) {
        fs::write(self.0.join("evidence"), evidence).unwrap();
        let limited = format!("ulimit -v {ALLOWED}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .current_dir(&self.0)
            .args([
                "-c",
                &limited,
                env!("CARGO_BIN_EXE_attest"),
                "verify",
                "evidence",
            ])
            .args(["--enrolment", "enrolment", "--owner-key", "owner.pub"])
            .args(["--release-key", "release.pub"])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

/// The genuine evidence with `element` as often as a file can hold, in the list that `one` makes
/// longer by one.
fn flooded(stand: &Stand, element: &[u8], none: fn(&mut Body), one: fn(&mut Body)) -> Vec<u8> {
    let with = |change: fn(&mut Body)| {
        let mut body = stand.body(&[]);
        change(&mut body);
        let quote = stand.quote(&body.qualifying());
        Evidence::new(body, vec![quote]).to_bytes()
    };
    let (short, long) = (with(none), with(one));
    // The first byte that differs is the head of the list.
    let at = short.iter().zip(&long).position(|(a, b)| a != b).unwrap();
    assert_eq!((short[at], long[at]), (0x80, 0x81));
    spliced(&short, at, element)
}

fn spliced(bytes: &[u8], at: usize, element: &[u8]) -> Vec<u8> {
    let room = MAX_EVIDENCE - bytes.len() - 8;
    let count = u32::try_from(room / element.len()).unwrap();
    let mut out = bytes[..at].to_vec();
    out.push(0x9a);
    out.extend(count.to_be_bytes());
    out.extend(element.repeat(count as usize));
    out.extend(&bytes[at + 1..]);
    assert!(out.len() <= MAX_EVIDENCE);
    out
}

#[test]
fn a_file_of_empty_elements_is_malformed_and_not_unpacked() {
    let stand = Stand::default();
    let folder = Folder::new(&stand);
    // Positive control: what is genuine is judged within that memory.
    let genuine = stand.evidence(&[]).to_bytes();
    let (exit, said) = folder.verify(&genuine);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.starts_with("CONDITIONAL"), "{said}");
    let artifacts = flooded(
        &stand,
        &[0x40],
        |body| body.artifacts.clear(),
        |body| body.artifacts = vec![Vec::new().into()],
    );
    let statements = flooded(
        &stand,
        &[0x82, 0x60, 0x60],
        |body| body.statements.clear(),
        |body| {
            body.statements = vec![Statement {
                name: String::new(),
                value: String::new(),
            }];
        },
    );
    let none = Evidence::new(stand.body(&[]), Vec::new()).to_bytes();
    assert_eq!(none.last(), Some(&0x80));
    let quotes = spliced(&none, none.len() - 1, &[0x83, 0x40, 0x40, 0x80]);
    for (list, bytes) in [
        ("artifacts", artifacts),
        ("statements", statements),
        ("quotes", quotes),
    ] {
        let (exit, said) = folder.verify(&bytes);
        assert_eq!(exit, Some(2), "{list}: {said}");
        assert!(said.contains("code format.member"), "{list}: {said}");
        assert!(said.contains(list), "{list}: {said}");
    }
}
