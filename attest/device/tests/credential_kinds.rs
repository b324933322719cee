//! Credentials for endorsement keys of every kind, opened by a real (software) TPM.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use casemate_attest::credential;
use casemate_attest::tpm::public::Public;

/// tpm2-tools' file of a credential: a magic number, a version, and the two structures.
const HEAD: [u8; 8] = [0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1];

/// A swtpm with the control socket that tpm2-tools want.
struct Bed {
    folder: tempfile::TempDir,
    swtpm: Child,
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ended = self.swtpm.kill();
        let _reaped = self.swtpm.wait();
    }
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let swtpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", path.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}/socket", path.display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}/socket.ctrl", path.display()))
            .spawn()
            .unwrap();
        let bed = Self { folder, swtpm };
        let patience = Instant::now() + Duration::from_secs(60);
        while !bed.try_tool("tpm2_getcap properties-fixed") {
            assert!(Instant::now() < patience, "swtpm does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        bed
    }

    fn tool(&self, line: &str) {
        assert!(self.try_tool(line), "{line}");
    }

    fn try_tool(&self, line: &str) -> bool {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let command = command.args(words).current_dir(self.folder.path()).env(
            "TPM2TOOLS_TCTI",
            format!("swtpm:path={}/socket", self.folder.path().display()),
        );
        let output = command.output().unwrap();
        output.status.success()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path: &Path = self.folder.path();
        fs::write(path.join(name), bytes).unwrap();
    }

    /// Whether the TPM opens the credential in `file`, and what it finds.
    fn activate(&self, file: &str, by_policy: bool) -> Option<Vec<u8>> {
        self.tool("tpm2_flushcontext -t");
        self.tool("tpm2_startauthsession --policy-session -S session");
        self.tool("tpm2_policysecret -S session -c e");
        // The P-384 template has an authorisation of its own, which is empty; the others take the
        // policy.
        let policy = if by_policy { "-P session:session " } else { "" };
        let line = "tpm2_activatecredential -Q -c ak.ctx -C ek.ctx -o out";
        let opened = self.try_tool(&format!("{line} {policy}-i {file}"));
        self.tool("tpm2_flushcontext session");
        opened.then(|| self.file("out"))
    }
}

#[test]
fn each_kind_of_endorsement_key_opens_its_credential_and_no_other() {
    for (kind, words) in [("rsa", "RSA-2048"), ("ecc", "P-256"), ("ecc384", "P-384")] {
        let by_policy = kind != "ecc384";
        let bed = Bed::new();
        bed.tool(&format!("tpm2_createek -Q -G {kind} -c ek.ctx -u ek"));
        bed.tool("tpm2_flushcontext -t");
        let line = "tpm2_createak -Q -C ek.ctx -G ecc -g sha256 -s ecdsa -c ak.ctx -u ak -f tss";
        bed.tool(line);
        let (ek, ak) = (bed.file("ek"), bed.file("ak"));
        assert_eq!(Public::from_sized(&ek).unwrap().key().words(), words);
        let name = Public::from_sized(&ak).unwrap().name().to_vec();
        let secret = [0x5a; 32];
        let credential = |name: &[u8], random: u8| {
            let made = credential::make(&ek, name, &secret, &[random; 32]).unwrap();
            [&HEAD[..], &made.id_object, &made.encrypted_secret].concat()
        };
        bed.write("good", &credential(&name, 0x11));
        assert_eq!(
            bed.activate("good", by_policy).as_deref(),
            Some(&secret[..]),
            "{kind}"
        );
        // For another attestation key the same TPM does not open it: nor can it be replayed for
        // a key that came later.
        let mut other = name.clone();
        *other.last_mut().unwrap() ^= 1;
        bed.write("other", &credential(&other, 0x12));
        assert_eq!(bed.activate("other", by_policy), None, "{kind}");
        // Another TPM does not open it at all.
        let stranger = Bed::new();
        stranger.tool(&format!("tpm2_createek -Q -G {kind} -c ek.ctx -u ek"));
        stranger.tool("tpm2_flushcontext -t");
        stranger.tool(line);
        stranger.write("good", &bed.file("good"));
        assert_eq!(stranger.activate("good", by_policy), None, "{kind}");
    }
}
