//! Quotes that a verifier has fallen for somewhere, each rejected with its own code. The rows
//! are those of the threat list; what only a real TPM can be made to say is asked of one in the
//! top-level tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::digest::Digest;
use casemate_attest::enrolment::PcrValue;
use casemate_attest::evidence::RawQuote;
use casemate_attest::quote::{AttestationKey, VerifiedQuote};
use casemate_attest::tpm::public::Public;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use stand::{
    AK_ATTRIBUTES, CERTIFY, MAGIC, QUOTE, Stand, replay, sign, signing_public, signing_public_with,
    sized,
};

const QUALIFYING: &[u8] = b"this evidence";

struct Tpm {
    stand: Stand,
    key: AttestationKey,
    qualifying: Digest,
    pcrs: Vec<PcrValue>,
}

impl Tpm {
    fn new() -> Self {
        let stand = Stand::default();
        let ek = Public::from_sized(&stand.ek_public()).unwrap();
        let key = AttestationKey::check(&stand.ak_public(), &ek).unwrap();
        let pcrs = replay(&[&stand.firmware, &stand.runtime]);
        Self {
            stand,
            key,
            qualifying: Digest::of(QUALIFYING),
            pcrs,
        }
    }

    fn attest(&self) -> Vec<u8> {
        self.stand
            .quote_attest(&self.qualifying, 0x000b, &self.pcrs)
    }

    fn signed(&self, attest: Vec<u8>, pcrs: &[PcrValue]) -> RawQuote {
        let signature = sign(&self.stand.ak, &Digest::of(&attest));
        RawQuote {
            attest,
            signature,
            pcrs: pcrs.to_vec(),
        }
    }

    fn code(&self, quote: &RawQuote) -> &'static str {
        match VerifiedQuote::check(quote, &self.key, &self.qualifying) {
            Ok(_) => "accepted",
            Err(error) => error.code().id,
        }
    }

    fn code_of_attest(&self, attest: Vec<u8>) -> &'static str {
        self.code(&self.signed(attest, &self.pcrs))
    }
}

#[test]
fn the_genuine_one_is_accepted() {
    let tpm = Tpm::new();
    assert_eq!(tpm.code_of_attest(tpm.attest()), "accepted");
}

#[test]
fn magic_of_no_tpm() {
    let tpm = Tpm::new();
    let mut attest = tpm.attest();
    attest[..4].copy_from_slice(b"\xffTCH");
    assert_eq!(tpm.code_of_attest(attest), "quote.magic");
}

#[test]
fn another_kind_of_attestation() {
    let tpm = Tpm::new();
    let qualifying = tpm.qualifying.as_bytes();
    let tail = &tpm.attest()[tpm.stand.attest_header(MAGIC, QUOTE, qualifying).len()..];
    // NV certification, command audit, session audit, certification, time, creation, NV digest,
    // and a kind that is none; each with a quote's own tail behind it.
    for kind in [
        0x8014, 0x8015, 0x8016, CERTIFY, 0x8019, 0x801a, 0x801c, 0x8021,
    ] {
        let attest = [&tpm.stand.attest_header(MAGIC, kind, qualifying)[..], tail].concat();
        assert_eq!(tpm.code_of_attest(attest), "quote.kind", "{kind:#06x}");
    }
}

#[test]
fn a_certification_is_no_quote() {
    let tpm = Tpm::new();
    let attest = tpm.stand.log_key_certified().attest;
    assert_eq!(tpm.code_of_attest(attest), "quote.kind");
}

/// The history of PCR 7 replayed into a resettable register and called PCR 7.
#[test]
fn a_relabelled_register() {
    let tpm = Tpm::new();
    for resettable in [16, 23] {
        let mut quoted = tpm.pcrs.clone();
        quoted[7].pcr = resettable;
        quoted.sort_by_key(|pcr| pcr.pcr);
        let attest = tpm.stand.quote_attest(&tpm.qualifying, 0x000b, &quoted);
        // Claimed under the policy's names, and under its own.
        assert_eq!(
            tpm.code(&tpm.signed(attest.clone(), &tpm.pcrs)),
            "quote.selection"
        );
        assert_eq!(tpm.code(&tpm.signed(attest, &quoted)), "quote.selection");
    }
}

#[test]
fn a_selection_other_than_the_policy() {
    let tpm = Tpm::new();
    let attest = |pcrs: &[PcrValue]| tpm.stand.quote_attest(&tpm.qualifying, 0x000b, pcrs);
    let fewer = &tpm.pcrs[..11];
    assert_eq!(
        tpm.code(&tpm.signed(attest(fewer), fewer)),
        "quote.selection"
    );
    let more = [
        &tpm.pcrs[..],
        &[PcrValue {
            pcr: 16,
            value: Digest::ZERO,
        }],
    ]
    .concat();
    assert_eq!(
        tpm.code(&tpm.signed(attest(&more), &more)),
        "quote.selection"
    );
    assert_eq!(tpm.code(&tpm.signed(attest(&[]), &[])), "quote.selection");
    let sha1 = tpm.stand.quote_attest(&tpm.qualifying, 0x0004, &tpm.pcrs);
    assert_eq!(tpm.code(&tpm.signed(sha1, &tpm.pcrs)), "quote.selection");
}

#[test]
fn values_other_than_the_quoted() {
    let tpm = Tpm::new();
    let mut pcrs = tpm.pcrs.clone();
    pcrs[7].value = Digest::of(b"other");
    assert_eq!(tpm.code(&tpm.signed(tpm.attest(), &pcrs)), "quote.digest");
    let mut swapped = tpm.pcrs.clone();
    swapped.swap(0, 1);
    assert_eq!(
        tpm.code(&tpm.signed(tpm.attest(), &swapped)),
        "quote.registers"
    );
    assert_eq!(tpm.code(&tpm.signed(tpm.attest(), &[])), "quote.registers");
}

#[test]
fn a_bank_that_is_not_in_use() {
    let tpm = Tpm::new();
    for value in [Digest::ZERO, Digest::new([0xff; 32])] {
        let pcrs: Vec<PcrValue> = tpm
            .pcrs
            .iter()
            .map(|pcr| PcrValue {
                pcr: pcr.pcr,
                value,
            })
            .collect();
        let attest = tpm.stand.quote_attest(&tpm.qualifying, 0x000b, &pcrs);
        assert_eq!(tpm.code(&tpm.signed(attest, &pcrs)), "quote.empty");
    }
}

#[test]
fn qualifying_data_missing_or_other() {
    let tpm = Tpm::new();
    let other = tpm
        .stand
        .quote_attest(&Digest::of(b"other"), 0x000b, &tpm.pcrs);
    assert_eq!(tpm.code_of_attest(other), "quote.qualifying");
    let tail = &tpm.attest()[tpm.stand.attest_header(MAGIC, QUOTE, &[0; 32]).len()..];
    let without = [&tpm.stand.attest_header(MAGIC, QUOTE, &[])[..], tail].concat();
    assert_eq!(tpm.code_of_attest(without), "quote.qualifying");
    let prefix = &tpm.qualifying.as_bytes()[..16];
    let short = [&tpm.stand.attest_header(MAGIC, QUOTE, prefix)[..], tail].concat();
    assert_eq!(tpm.code_of_attest(short), "quote.qualifying");
}

#[test]
fn bytes_left_over_or_missing() {
    let tpm = Tpm::new();
    let attest = tpm.attest();
    assert_eq!(
        tpm.code_of_attest([&attest[..], &[0]].concat()),
        "quote.malformed"
    );
    for end in 0..attest.len() {
        let code = tpm.code_of_attest(attest[..end].to_vec());
        assert_eq!(code, "quote.malformed", "cut at {end}");
    }
    let mut quote = tpm.signed(attest, &tpm.pcrs);
    quote.signature.push(0);
    assert_eq!(tpm.code(&quote), "quote.malformed");
    quote.signature.truncate(20);
    assert_eq!(tpm.code(&quote), "quote.malformed");
}

#[test]
fn the_other_spelling_of_a_signature() {
    let tpm = Tpm::new();
    let genuine = tpm.signed(tpm.attest(), &tpm.pcrs);
    let signature: p256::ecdsa::Signature = tpm
        .stand
        .ak
        .sign_prehash(Digest::of(&genuine.attest).as_bytes())
        .unwrap();
    let low = signature.normalize_s().unwrap_or(signature);
    let (r, s) = low.split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    let (r, s) = high.split_bytes();
    let bytes = [&[0x00, 0x18, 0x00, 0x0b][..], &sized(&r), &sized(&s)].concat();
    let quote = RawQuote {
        signature: bytes.clone(),
        ..genuine.clone()
    };
    assert_eq!(tpm.code(&quote), "quote.spelling");
    // A TPM may make it: the writer brings it into the one spelling.
    assert_eq!(
        casemate_attest::tpm::signature::normalised(&bytes),
        genuine.signature
    );
    let (r, s) = low.split_bytes();
    let long = [
        &[0x00, 0x18, 0x00, 0x0b][..],
        &sized(&[&[0], &r[..]].concat()),
        &sized(&s),
    ];
    let quote = RawQuote {
        signature: long.concat(),
        ..genuine
    };
    assert_ne!(tpm.code(&quote), "accepted");
}

#[test]
fn a_signature_of_another_scheme_or_hash() {
    let tpm = Tpm::new();
    let genuine = tpm.signed(tpm.attest(), &tpm.pcrs);
    let with = |head: [u8; 4]| {
        let mut quote = genuine.clone();
        quote.signature[..4].copy_from_slice(&head);
        tpm.code(&quote)
    };
    // ECDSA with SHA-1: refused. With SHA-384 and SHA-512: not what the key signs.
    assert_eq!(with([0x00, 0x18, 0x00, 0x04]), "quote.refused");
    assert_eq!(with([0x00, 0x18, 0x00, 0x0c]), "quote.scheme");
    assert_eq!(with([0x00, 0x18, 0x00, 0x0d]), "quote.scheme");
    // ECDAA, SM2, ECSchnorr, HMAC, NULL.
    for kind in [0x1a, 0x1b, 0x1c, 0x05, 0x10] {
        assert_eq!(with([0x00, kind, 0x00, 0x0b]), "quote.refused");
    }
    let mut rsa = genuine.clone();
    rsa.signature = [&[0x00, 0x14, 0x00, 0x0b][..], &sized(&[1; 256])].concat();
    assert_eq!(tpm.code(&rsa), "quote.scheme");
    let mut zero = genuine;
    zero.signature = [
        &[0x00, 0x18, 0x00, 0x0b][..],
        &sized(&[0; 32]),
        &sized(&[0; 32]),
    ]
    .concat();
    assert_eq!(tpm.code(&zero), "quote.signature");
}

#[test]
fn another_key_of_the_same_kind() {
    let tpm = Tpm::new();
    let attest = tpm.attest();
    let signature = sign(&tpm.stand.log_key, &Digest::of(&attest));
    let quote = RawQuote {
        attest,
        signature,
        pcrs: tpm.pcrs.clone(),
    };
    assert_eq!(tpm.code(&quote), "quote.signature");
}

/// A key of the right numbers outside the endorsement hierarchy: its clock would be masked.
#[test]
fn a_signer_of_another_hierarchy() {
    let tpm = Tpm::new();
    let mut attest = tpm.attest();
    attest[10] ^= 1;
    assert_eq!(tpm.code_of_attest(attest), "quote.signer");
}

#[test]
fn a_key_that_may_not_attest() {
    let stand = Stand::default();
    let ek = Public::from_sized(&stand.ek_public()).unwrap();
    let code = |public: &[u8]| match AttestationKey::check(public, &ek) {
        Ok(_) => "accepted",
        Err(error) => error.code().id,
    };
    assert_eq!(code(&stand.ak_public()), "accepted");
    for (name, bit) in [
        ("fixedTPM", 1),
        ("fixedParent", 4),
        ("sensitiveDataOrigin", 5),
        ("restricted", 16),
        ("sign", 18),
    ] {
        let public = signing_public(&stand.ak, AK_ATTRIBUTES & !(1 << bit));
        assert_eq!(code(&public), "ak.attributes", "without {name}");
    }
    let decrypting = signing_public(&stand.ak, AK_ATTRIBUTES | 1 << 17);
    assert_eq!(code(&decrypting), "ak.attributes");
    let any_scheme = signing_public_with(&stand.ak, AK_ATTRIBUTES, &[0x00, 0x10]);
    assert_eq!(code(&any_scheme), "ak.scheme");
    let sha1 = signing_public_with(&stand.ak, AK_ATTRIBUTES, &[0x00, 0x18, 0x00, 0x04]);
    assert_eq!(code(&sha1), "ak.refused");
    let mut weak_curve = stand.ak_public();
    let curve = weak_curve.len() - 68 - 3;
    weak_curve[curve] = 1;
    assert_eq!(code(&weak_curve), "ak.refused");
    let mut off_curve = stand.ak_public();
    let last = off_curve.len() - 1;
    off_curve[last] ^= 1;
    assert_eq!(code(&off_curve), "ak.malformed");
    let longer = [&stand.ak_public()[..], &[0]].concat();
    assert_eq!(code(&longer), "ak.malformed");
}

/// RSA of 1024 bits, and of 2048 bits with scheme and modulus as they should be.
#[test]
fn a_weak_rsa_key() {
    let stand = Stand::default();
    let ek = Public::from_sized(&stand.ek_public()).unwrap();
    let public = |bits: u16, modulus: &[u8]| {
        let area = [
            &[0x00, 0x01, 0x00, 0x0b][..],
            &AK_ATTRIBUTES.to_be_bytes(),
            &[0, 0, 0x00, 0x10, 0x00, 0x14, 0x00, 0x0b],
            &bits.to_be_bytes(),
            &[0; 4],
            &sized(modulus),
        ];
        sized(&area.concat())
    };
    assert!(AttestationKey::check(&public(2048, &[0xff; 256]), &ek).is_ok());
    for (weak, code) in [
        (public(1024, &[0xff; 128]), "ak.refused"),
        (public(2048, &[0xff; 128]), "ak.refused"),
        (public(1024, &[0xff; 256]), "ak.malformed"),
    ] {
        let error = AttestationKey::check(&weak, &ek).unwrap_err();
        assert_eq!(error.code().id, code);
    }
}
