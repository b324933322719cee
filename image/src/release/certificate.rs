//! The certificates of the development platform: self-signed, with keys that anyone can derive.
//!
//! They exist so that PK, KEK and db hold what they hold on a real machine. They protect
//! nothing and no release trusts them: their private keys are constants of this file.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, Signature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;

/// A self-signed X.509 v3 certificate in DER for `name`, whose key is made from `seed`.
pub(super) fn development(name: &str, seed: u8) -> Vec<u8> {
    // A scalar of 32 equal, non-zero, small bytes is always below the group's order.
    let Ok(key) = SigningKey::from_bytes(&[seed.clamp(1, 0x7f); 32].into()) else {
        return Vec::new();
    };
    let public = p256::PublicKey::from(key.verifying_key());
    let Ok(public) = public.to_public_key_der() else {
        return Vec::new();
    };
    // AlgorithmIdentifier ecdsa-with-SHA256, 1.2.840.10045.4.3.2.
    let algorithm = der(
        0x30,
        &der(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
    );
    // One RDN: commonName, 2.5.4.3, UTF8String.
    let attribute = [der(0x06, &[0x55, 0x04, 0x03]), der(0x0c, name.as_bytes())].concat();
    let name = der(0x30, &der(0x31, &der(0x30, &attribute)));
    let validity = [der(0x17, b"260101000000Z"), der(0x18, b"99991231235959Z")].concat();
    let body = [
        der(0xa0, &der(0x02, &[2])), // version 3
        der(0x02, &[seed]),          // serial number
        algorithm.clone(),
        name.clone(),
        der(0x30, &validity),
        name,
        public.as_bytes().to_vec(),
    ]
    .concat();
    let body = der(0x30, &body);
    let signature: Signature = key.sign(&body);
    let signature: DerSignature = signature.to_der();
    let bits = [&[0], signature.as_bytes()].concat();
    der(0x30, &[body, algorithm, der(0x03, &bits)].concat())
}

/// A DER value of less than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let mut out = vec![tag];
    match (high, low) {
        (0, 0..=0x7f) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}
