//! Quotes: by a software TPM that was made to sign whatever it would (vectors/quotes/recipe.sh).

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::{Digest as _, Sha256};

use super::{ACCEPTED, Case, Found};
use crate::quote::single::{Examination, Inputs};
use crate::verdict::Decision;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("vectors/quotes/", $name))
    };
}

const NONCE: [u8; 16] = [
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
];
const AK: &[u8] = vector!("ak");

/// The genuine quote, of which others are made.
const GENUINE: Inputs<'static> = Inputs {
    attest: vector!("genuine.attest"),
    signature: vector!("genuine.signature"),
    key: AK,
    nonce: Some(&NONCE),
    registers: Some(vector!("genuine.json")),
};

fn judge(inputs: &Inputs<'_>) -> Found {
    match Examination::of(inputs) {
        Err(error) => error.code().id,
        Ok(examination) => match (examination.decision(), examination.code()) {
            (Decision::Pass, _) => ACCEPTED,
            (_, Some(code)) => code.id,
            (_, None) => "verdict.incomplete",
        },
    }
}

/// A quote made by the software TPM, with the nonce.
macro_rules! made {
    ($name:literal by $key:expr) => {
        judge(&Inputs {
            attest: include_bytes!(concat!("vectors/quotes/", $name, ".attest")),
            signature: include_bytes!(concat!("vectors/quotes/", $name, ".signature")),
            key: $key,
            registers: None,
            ..GENUINE
        })
    };
    ($name:literal by $key:expr, over $values:literal) => {
        judge(&Inputs {
            attest: include_bytes!(concat!("vectors/quotes/", $name, ".attest")),
            signature: include_bytes!(concat!("vectors/quotes/", $name, ".signature")),
            key: $key,
            registers: Some(vector!($values)),
            ..GENUINE
        })
    };
}

macro_rules! cases {
    ($($name:literal => $expected:expr, $judge:expr;)*) => {
        pub(super) const CASES: &[Case] = &[$(Case {
            area: "quote",
            name: $name,
            expected: $expected,
            judge: $judge,
        }),*];
    };
}

cases! {
    "genuine, P-256" => ACCEPTED, || judge(&GENUINE);
    "genuine, RSA-2048" => ACCEPTED, || made!("rsa2048" by vector!("rsa2048"), over "genuine.json");
    "genuine, two banks in one" => ACCEPTED, || made!("two-banks" by AK, over "two-banks.json");
    "no TPM's magic number" => "quote.magic", magic;
    "an NV certification" => "quote.kind", || made!("nv" by AK);
    "a time attestation" => "quote.kind", || made!("time" by AK);
    "a certification of a key" => "quote.kind", || made!("certify" by AK);
    "register 7's history in register 16" => "quote.resettable",
        || made!("resettable" by AK, over "genuine.json");
    "forged, by a key that signs anything" => "ak.attributes",
        || made!("forged" by vector!("free"), over "forged.json");
    "forged, and the other key shown" => "quote.signature",
        || made!("forged" by AK, over "forged.json");
    "a key as bare numbers" => "ak.unknown", || judge(&Inputs {
        key: vector!("ak.pem"), ..GENUINE
    });
    "another nonce" => "quote.qualifying", || judge(&Inputs { nonce: Some(b"other"), ..GENUINE });
    "values of another machine" => "quote.digest", || judge(&Inputs {
        registers: Some(vector!("forged.json")), ..GENUINE
    });
    "values of other registers" => "quote.registers", || judge(&Inputs {
        registers: Some(vector!("two-banks.json")), ..GENUINE
    });
    "a register twice in the values" => "registers.malformed", twice;
    "a byte behind the quote" => "quote.malformed", || trailing(true);
    "a byte behind the signature" => "quote.malformed", || trailing(false);
    "a SHA-1 signature" => "quote.refused", || made!("sha1" by vector!("sha1.pem"));
    "a SHA-1 key" => "ak.refused", || made!("sha1" by vector!("sha1"));
    "an RSA-1024 key" => "ak.refused", || made!("rsa1024" by vector!("rsa1024"));
    "a signature of another scheme" => "quote.scheme", scheme;
    "a bank that no firmware extended" => "quote.empty",
        || made!("empty-bank" by AK, over "empty-bank.json");
    "a bank of all ones" => "quote.empty", all_ones;
    "an endorsement key as signer" => "ak.attributes", || judge(&Inputs {
        key: vector!("ek"), ..GENUINE
    });
}

fn magic() -> Found {
    let attest = [b"\xffTCH", GENUINE.attest.get(4..).unwrap_or_default()].concat();
    judge(&Inputs {
        attest: &attest,
        ..GENUINE
    })
}

fn twice() -> Found {
    let twice = br#"{"sha256":{"7":"00","7":"00"}}"#;
    judge(&Inputs {
        registers: Some(twice),
        ..GENUINE
    })
}

fn trailing(behind_quote: bool) -> Found {
    let attest = [GENUINE.attest, &[0]].concat();
    let signature = [GENUINE.signature, &[0]].concat();
    judge(&if behind_quote {
        Inputs {
            attest: &attest,
            ..GENUINE
        }
    } else {
        Inputs {
            signature: &signature,
            ..GENUINE
        }
    })
}

/// RSASSA given out as RSAPSS: the tuple is the key's, not the signature's.
fn scheme() -> Found {
    let genuine: &[u8] = vector!("rsa2048.signature");
    let signature = [&[0x00, 0x16], genuine.get(2..).unwrap_or_default()].concat();
    judge(&Inputs {
        attest: vector!("rsa2048.attest"),
        signature: &signature,
        key: vector!("rsa2048"),
        ..GENUINE
    })
}

/// No TPM can be brought to it, so a key made here signs: the genuine quote with the digest of
/// registers that are all ones, the genuine key's structure with another point.
fn all_ones() -> Found {
    let Ok(key) = p256::ecdsa::SigningKey::from_slice(&[0x42; 32]) else {
        return "no key";
    };
    let digest = Sha256::digest([0xff; 8 * 32]);
    let kept = GENUINE.attest.len().saturating_sub(digest.len());
    let attest = [GENUINE.attest.get(..kept).unwrap_or_default(), &digest[..]].concat();
    let point = key.verifying_key().to_encoded_point(false);
    let (Some(x), Some(y)) = (point.x(), point.y()) else {
        return "no point";
    };
    let kept = AK.len().saturating_sub(68);
    let size = [0, 32];
    let public = [AK.get(..kept).unwrap_or_default(), &size, x, &size, y].concat();
    let Ok(signature) = key.sign_prehash(&Sha256::digest(&attest)) else {
        return "no signature";
    };
    let signature: p256::ecdsa::Signature = signature;
    let (r, s) = signature.split_bytes();
    let signature = [&[0x00, 0x18, 0x00, 0x0b][..], &size, &r, &size, &s].concat();
    let ones = "ff".repeat(32);
    let values: Vec<String> = (0..8).map(|pcr| format!("\"{pcr}\":\"{ones}\"")).collect();
    let registers = format!("{{\"sha256\":{{{}}}}}", values.join(","));
    judge(&Inputs {
        attest: &attest,
        signature: &signature,
        key: &public,
        registers: Some(registers.as_bytes()),
        ..GENUINE
    })
}
