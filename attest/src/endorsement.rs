//! The one public area that an endorsement key has: the template of the TCG.
//!
//! A TPM opens credentials for its key whatever attributes and policy are written beside it, and an
//! enrolment is named by all of it. With one area for each key, one key has one name.

use rsa::traits::PublicKeyParts as _;

use crate::sealing::Policy;
use crate::tpm::public::Key;
use crate::tpm::{ALG_AES, ALG_CFB, ALG_ECC, ALG_NULL, ALG_RSA, ALG_SHA256, ALG_SHA384};

/// `TPM_RH_ENDORSEMENT` (TPM 2.0 Library Part 2, section 7.4).
const ENDORSEMENT: u32 = 0x4000_000b;
/// fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt.
const LOW: u32 = 0x0003_00b2;
/// The same with userWithAuth.
const HIGH: u32 = 0x0003_00f2;
/// `PolicyB` with SHA-384 (TCG EK Credential Profile 2.5, B.6.5): what the owner or the policy of
/// an NV index allows.
const POLICY_B_SHA384: [u8; 48] = [
    0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a,
    0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca,
    0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
];

/// The `TPM2B_PUBLIC` of an endorsement key, by the template for its kind (TCG EK Credential
/// Profile 2.5, B.3 and B.4): L-1 for RSA 2048, L-2 for P-256, H-3 for P-384, H-6 and H-7 for RSA
/// 3072 and 4096. None for a key of another kind.
#[must_use]
pub fn area(key: &Key) -> Option<Vec<u8>> {
    let (kind, high, parameters, unique) = match key {
        Key::P256(key) => {
            let point = p256::EncodedPoint::from(key);
            (
                ALG_ECC,
                false,
                curve(0x0003),
                numbers(&[point.x()?, point.y()?]),
            )
        }
        Key::P384(key) => {
            let point = p384::EncodedPoint::from(key);
            (
                ALG_ECC,
                true,
                curve(0x0004),
                numbers(&[point.x()?, point.y()?]),
            )
        }
        Key::Rsa(key) if *key.e() == 65_537_u32.into() => {
            let bits = u16::try_from(key.n().bits()).ok()?;
            let high = match bits {
                2048 => false,
                3072 | 4096 => true,
                _ => return None,
            };
            // The default exponent is written as zero.
            let parameters = [&bits.to_be_bytes()[..], &[0; 4]].concat();
            (
                ALG_RSA,
                high,
                parameters,
                numbers(&[&key.n().to_bytes_be()]),
            )
        }
        Key::Rsa(_) => return None,
    };
    let policy_a = Policy::new().secret(&ENDORSEMENT.to_be_bytes()).digest();
    let (hash, attributes, policy, aes_bits) = if high {
        (ALG_SHA384, HIGH, &POLICY_B_SHA384[..], 256_u16)
    } else {
        (ALG_SHA256, LOW, &policy_a[..], 128)
    };
    let aes = [ALG_AES, aes_bits, ALG_CFB, ALG_NULL].map(u16::to_be_bytes);
    let area = [
        &kind.to_be_bytes()[..],
        &hash.to_be_bytes(),
        &attributes.to_be_bytes(),
        &numbers(&[policy]),
        &aes.concat(),
        &parameters,
        &unique,
    ];
    Some(numbers(&[&area.concat()]))
}

/// The rest of `TPMS_ECC_PARMS`: the curve, and no key derivation.
fn curve(id: u16) -> Vec<u8> {
    [id.to_be_bytes(), ALG_NULL.to_be_bytes()].concat()
}

/// Each as a `TPM2B`; none is longer than an RSA modulus.
fn numbers(each: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for bytes in each {
        out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(*bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpm::public::Public;

    macro_rules! vector {
        ($name:literal) => {
            &include_bytes!(concat!("selftest/vectors/certificates/", $name, ".public"))[..]
        };
    }

    /// As their makers' TPMs wrote them.
    #[test]
    fn the_keys_of_vendors_are_written_by_the_template() {
        for public in [
            vector!("infineon-ecc"),
            vector!("infineon-rsa"),
            vector!("stm"),
            vector!("swtpm-p256"),
            vector!("swtpm-p384"),
            vector!("swtpm-rsa"),
        ] {
            let key = Public::from_sized(public).unwrap();
            assert_eq!(area(key.key()).as_deref(), Some(public));
        }
    }
}
