//! Quotes by keys of every kind that is accepted, made by swtpm (recipe in tests/keys).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};

use casemate_attest::tpm::Hash;
use casemate_attest::tpm::attest::QuoteInfo;
use casemate_attest::tpm::public::{Public, Scheme};
use casemate_attest::tpm::signature::{RawSignature, normalised};

const KINDS: [(&str, Scheme); 6] = [
    ("ecc256-ecdsa-sha256", Scheme::Ecdsa(Hash::Sha256)),
    ("ecc384-ecdsa-sha384", Scheme::Ecdsa(Hash::Sha384)),
    ("rsa2048-rsassa-sha256", Scheme::Rsassa(Hash::Sha256)),
    ("rsa2048-rsapss-sha256", Scheme::Rsapss(Hash::Sha256)),
    ("rsa2048-rsapss-sha512", Scheme::Rsapss(Hash::Sha512)),
    ("rsa3072-rsassa-sha384", Scheme::Rsassa(Hash::Sha384)),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys")
}

struct Quote {
    public: Vec<u8>,
    attest: Vec<u8>,
    signature: Vec<u8>,
}

impl Quote {
    fn read(name: &str) -> Self {
        let file = |file: &str| fs::read(folder().join(name).join(file)).unwrap();
        let signature = normalised(&file("signature"));
        Self {
            public: file("public"),
            attest: file("attest"),
            signature,
        }
    }

    fn holds(&self) -> bool {
        let Ok(public) = Public::from_sized(&self.public) else {
            return false;
        };
        let Ok(signature) = RawSignature::from_bytes(&self.signature) else {
            return false;
        };
        signature.verify(&public, &self.attest).is_ok()
    }
}

#[test]
fn a_quote_of_each_kind_holds() {
    for (name, scheme) in KINDS {
        let quote = Quote::read(name);
        let public = Public::from_sized(&quote.public).unwrap();
        assert_eq!(public.scheme(), Some(scheme), "{name}");
        assert!(
            public.is_bound() && public.only_signs() && public.is_restricted(),
            "{name}"
        );
        let info = QuoteInfo::from_bytes(&quote.attest).unwrap();
        assert_eq!(info.header.qualifying, [0x00, 0x11, 0x22, 0x33]);
        assert_eq!(
            info.header.qualified_signer,
            public.qualified_name(&[0x40, 0x00, 0x00, 0x0b]),
            "{name}"
        );
        assert!(
            RawSignature::from_bytes(&quote.signature)
                .unwrap()
                .is_normalised()
        );
        assert!(quote.holds(), "{name}");
    }
}

#[test]
fn no_byte_can_be_changed() {
    for (name, _) in KINDS {
        let genuine = Quote::read(name);
        // In the public area only the key and its scheme: attributes are checked elsewhere.
        for at in 0..genuine.attest.len() {
            let mut quote = Quote::read(name);
            quote.attest[at] ^= 1;
            assert!(!quote.holds(), "{name}: attest byte {at}");
        }
        for at in 0..genuine.signature.len() {
            let mut quote = Quote::read(name);
            quote.signature[at] ^= 1;
            assert!(!quote.holds(), "{name}: signature byte {at}");
        }
    }
}

#[test]
fn a_signature_of_another_kind_does_not_hold() {
    for (name, _) in KINDS {
        for (other, _) in KINDS.iter().filter(|(other, _)| *other != name) {
            let mut quote = Quote::read(name);
            quote.signature = Quote::read(other).signature;
            assert!(!quote.holds(), "{name} with the signature of {other}");
        }
    }
}

#[test]
fn no_folder_is_unlisted() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let listed = KINDS.iter().any(|(listed, _)| *listed == name);
        assert!(listed || name == "recipe.sh", "{name} is not listed");
    }
}
