//! Endorsement certificates (vectors/certificates/recipe.sh).

use super::{ACCEPTED, Case, Found};
use crate::tpm::public::Public;
use crate::x509::{Authorities, Chain, ChainError, Policy};

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("vectors/certificates/", $name))
    };
}

/// The moment that every certificate is judged at: January 2027.
const AT: Policy = Policy {
    at_ms: 1_800_000_000_000,
};
const KEY: &[u8] = vector!("swtpm-p256.public");
const GOOD: &[u8] = vector!("test-good.der");
const ROOT: &[u8] = vector!("test-root.der");
const INTERMEDIATE: &[u8] = vector!("test-inter.der");

fn judge(certificate: &[u8], key: &[u8], root: &[u8], intermediates: &[&[u8]]) -> Found {
    let found = || -> Result<(), ChainError> {
        let mut authorities = Authorities::default();
        authorities.add_roots(root)?;
        for one in intermediates {
            authorities.add_intermediates(one)?;
        }
        let key = Public::from_sized(key);
        let key = key.map_err(|error| ChainError::Malformed(error.to_string()))?;
        Chain::verify(certificate, &authorities, &key, AT)?;
        Ok(())
    };
    found().map_or_else(|error| error.code().id, |()| ACCEPTED)
}

/// One for the P-256 key by the test's own authorities.
fn test(certificate: &[u8]) -> Found {
    judge(certificate, KEY, ROOT, &[INTERMEDIATE])
}

/// One by the authority of a software TPM's host.
fn swtpm(certificate: &[u8], key: &[u8]) -> Found {
    let (root, intermediate) = (vector!("swtpm-root.der"), vector!("swtpm-intermediate.der"));
    judge(certificate, key, root, &[intermediate])
}

fn padded(padding: &[u8]) -> Found {
    let bytes = [vector!("swtpm-p256.der"), padding].concat();
    swtpm(&bytes, KEY)
}

macro_rules! cases {
    ($($name:literal => $expected:expr, $judge:expr;)*) => {
        pub(super) const CASES: &[Case] = &[$(Case {
            area: "certificate",
            name: $name,
            expected: $expected,
            judge: $judge,
        }),*];
    };
}

cases! {
    "of a software TPM, RSA-2048" => ACCEPTED,
        || swtpm(vector!("swtpm-rsa.der"), vector!("swtpm-rsa.public"));
    "of a software TPM, P-384" => ACCEPTED,
        || swtpm(vector!("swtpm-p384.der"), vector!("swtpm-p384.public"));
    "padded with 0xFF as in a TPM" => ACCEPTED, || padded(&[0xff; 430]);
    "a critical directory name, until 9999" => ACCEPTED, || test(GOOD);
    "expired, which is noted" => ACCEPTED, || test(vector!("test-expired.der"));
    "something else behind it" => "certificate.trailing", || padded(&[0xff, 0x00]);
    "an unknown issuer" => "certificate.issuer",
        || judge(vector!("infineon-ecc.der"), vector!("infineon-ecc.public"), ROOT, &[]);
    "an unknown critical extension" => "certificate.extension",
        || test(vector!("test-unknown-critical.der"));
    "for another key" => "certificate.key",
        || judge(GOOD, vector!("swtpm-p384.public"), ROOT, &[INTERMEDIATE]);
    "for another use" => "certificate.usage", || test(vector!("test-other-use.der"));
    "for a key that signs" => "certificate.usage", || test(vector!("test-signing-key.der"));
    "signed with SHA-1, by a vendor" => "certificate.algorithm", || judge(
        vector!("stm.der"),
        vector!("stm.public"),
        vector!("stm-root.der"),
        &[vector!("stm-intermediate.der")],
    );
    "a changed signature" => "certificate.signature", changed;
    "issued with no authority's certificate" => "certificate.authority", || judge(
        vector!("test-by-no-authority.der"),
        KEY,
        ROOT,
        &[INTERMEDIATE, vector!("test-no-authority.der")],
    );
    "a chain longer than an authority allows" => "certificate.authority", || judge(
        vector!("test-too-long.der"),
        KEY,
        ROOT,
        &[vector!("test-short.der"), vector!("test-below.der")],
    );
    "no certificate at all" => "certificate.absent", || test(&[]);
}

fn changed() -> Found {
    let mut bytes = GOOD.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    test(&bytes)
}
