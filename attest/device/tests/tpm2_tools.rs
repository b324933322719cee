//! Quotes made by tpm2-tools just now, judged as `attest quote --help` says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod tools;

use std::collections::BTreeMap;

use casemate_attest::quote::single::{Examination, Inputs};
use casemate_attest::verdict::Decision;
use tools::Bed;

const SELECTION: &str = "sha256:0,7+sha384:7";
const NONCE: [u8; 4] = [0xca, 0x5e, 0x3a, 0x7e];

/// The values that `tpm2_pcrread` prints, as `attest quote --pcrs` takes them.
fn values(printed: &str) -> String {
    let mut banks: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    let mut bank = "";
    for line in printed.lines().map(str::trim) {
        match line.split_once(':') {
            Some((name, "")) => bank = name,
            Some((pcr, value)) => {
                let value = value.trim().trim_start_matches("0x").to_lowercase();
                banks.entry(bank).or_default().insert(pcr.trim(), value);
            }
            None => {}
        }
    }
    let object = |members: Vec<String>| format!("{{{}}}", members.join(","));
    let banks = banks.into_iter().map(|(bank, values)| {
        let values = values.into_iter();
        let values = values.map(|(pcr, value)| format!("\"{pcr}\":\"{value}\""));
        format!("\"{bank}\":{}", object(values.collect()))
    });
    object(banks.collect())
}

#[test]
fn a_quote_by_each_kind_of_key_is_accepted_and_of_another_time_rejected() {
    let bed = Bed::new();
    for pcr in [0, 7] {
        let event = |bank: &str, len: usize| format!("{bank}={}", "5a".repeat(len));
        let digests = [event("sha256", 32), event("sha384", 48)].join(",");
        bed.tool(&format!("tpm2_pcrextend {pcr}:{digests}"));
    }
    for (kind, scheme, hash) in [
        ("ecc", "ecdsa", "sha256"),
        ("ecc384", "ecdsa", "sha384"),
        ("rsa2048", "rsassa", "sha256"),
        ("rsa2048", "rsapss", "sha512"),
    ] {
        bed.tool("tpm2_createek -Q -G ecc -c ek.ctx -u ek");
        bed.tool("tpm2_flushcontext -t");
        let key = format!("-G {kind} -g {hash} -s {scheme}");
        bed.tool(&format!("tpm2_createak -Q -C ek.ctx {key} -c ak.ctx"));
        bed.tool("tpm2_flushcontext -t");
        bed.tool("tpm2_readpublic -Q -c ak.ctx -f tss -o key");
        bed.tool("tpm2_flushcontext -t");
        let made = format!("-m attest -s signature --scheme {scheme} -g {hash}");
        bed.tool(&format!(
            "tpm2_quote -Q -c ak.ctx -l {SELECTION} -q ca5e3a7e {made}"
        ));
        bed.tool("tpm2_flushcontext -t");
        let registers = values(&bed.said(&format!("tpm2_pcrread {SELECTION}")));
        let (attest, signature, key) = (bed.file("attest"), bed.file("signature"), bed.file("key"));
        let judge = |nonce: &[u8], registers: &str| {
            Examination::of(&Inputs {
                attest: &attest,
                signature: &signature,
                key: &key,
                nonce: Some(nonce),
                registers: Some(registers.as_bytes()),
            })
            .unwrap()
        };
        let found = judge(&NONCE, &registers);
        assert_eq!(
            found.decision(),
            Decision::Pass,
            "{kind} {scheme}: {:?}",
            found.checks()
        );
        assert_eq!(found.registers().unwrap().iter().count(), 3);
        let other = judge(&[0; 4], &registers);
        assert_eq!(other.code().unwrap().id, "quote.qualifying");
        // After one more event the values are others.
        bed.tool(&format!("tpm2_pcrextend 7:sha384={}", "11".repeat(48)));
        let later = values(&bed.said(&format!("tpm2_pcrread {SELECTION}")));
        assert_eq!(judge(&NONCE, &later).code().unwrap().id, "quote.digest");
    }
}
