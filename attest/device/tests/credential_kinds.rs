//! Credentials for endorsement keys of every kind, opened by a real (software) TPM.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod tools;

use casemate_attest::credential;
use casemate_attest::tpm::public::Public;
use tools::Bed;

/// tpm2-tools' file of a credential: a magic number, a version, and the two structures.
const HEAD: [u8; 8] = [0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1];

/// Whether the TPM opens the credential in `file`, and what it finds.
fn activate(bed: &Bed, file: &str, by_policy: bool) -> Option<Vec<u8>> {
    bed.tool("tpm2_flushcontext -t");
    bed.tool("tpm2_startauthsession --policy-session -S session");
    bed.tool("tpm2_policysecret -S session -c e");
    // The P-384 template has an authorisation of its own, which is empty; the others take the
    // policy.
    let policy = if by_policy { "-P session:session " } else { "" };
    let line = "tpm2_activatecredential -Q -c ak.ctx -C ek.ctx -o out";
    let opened = bed.try_tool(&format!("{line} {policy}-i {file}"));
    bed.tool("tpm2_flushcontext session");
    opened.then(|| bed.file("out"))
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
            activate(&bed, "good", by_policy).as_deref(),
            Some(&secret[..]),
            "{kind}"
        );
        // For another attestation key the same TPM does not open it: nor can it be replayed for
        // a key that came later.
        let mut other = name.clone();
        *other.last_mut().unwrap() ^= 1;
        bed.write("other", &credential(&other, 0x12));
        assert_eq!(activate(&bed, "other", by_policy), None, "{kind}");
        // Another TPM does not open it at all.
        let stranger = Bed::new();
        stranger.tool(&format!("tpm2_createek -Q -G {kind} -c ek.ctx -u ek"));
        stranger.tool("tpm2_flushcontext -t");
        stranger.tool(line);
        stranger.write("good", &bed.file("good"));
        assert_eq!(activate(&stranger, "good", by_policy), None, "{kind}");
    }
}
