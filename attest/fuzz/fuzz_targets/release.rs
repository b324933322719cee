#![no_main]

use std::sync::LazyLock;

use casemate_attest::release::{Release, key_id};
use casemate_attest::revocations::Revocations;
use coset::{CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, cbor::value::Value, iana};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_slice(&[7; 32]).unwrap());
static OWNER: LazyLock<ed25519_dalek::SigningKey> =
    LazyLock::new(|| ed25519_dalek::SigningKey::from_bytes(&[6; 32]));

// The input as a signed manifest, and as the payload of one: what stands behind the signature is
// read too. A manifest that is read is written as it came.
fuzz_target!(|data: &[u8]| {
    let _ = Release::verify(data, KEY.verifying_key());
    let _ = Revocations::verify(data, &OWNER.verifying_key());
    let issuer = Value::Text("casemate release".to_owned());
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ES256)
        .content_type("application/rim+cbor".to_owned())
        .key_id(key_id(KEY.verifying_key()).as_bytes().to_vec())
        .value(15, Value::Map(vec![(Value::from(1), issuer)]))
        .build();
    let signed = CoseSign1Builder::new()
        .protected(header)
        .payload(data.to_vec())
        .create_signature(b"", |message| {
            let signature: Signature = KEY.sign(message);
            signature.to_vec()
        })
        .build()
        .to_tagged_vec()
        .unwrap();
    if let Ok(release) = Release::verify(&signed, KEY.verifying_key()) {
        assert_eq!(release.sign(&KEY).unwrap(), signed);
    }
});
