//! The release manifest's envelope and payload: one spelling, one key, parts that agree.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use casemate_attest::release::{Release, ReleaseError};
use minicbor::Decoder;
use minicbor::data::{Tag, Type};
use stand::{NOW, Stand};

fn signed(stand: &Stand) -> Vec<u8> {
    stand.signed_release(&stand.release_key, NOW + 1_000_000)
}

/// The payload inside the envelope: its place and length.
fn payload(manifest: &[u8]) -> std::ops::Range<usize> {
    let mut d = Decoder::new(manifest);
    assert_eq!(d.tag().unwrap(), Tag::new(18));
    assert_eq!(d.array().unwrap(), Some(4));
    d.bytes().unwrap();
    assert_eq!(d.map().unwrap(), Some(0));
    let payload = d.bytes().unwrap().len();
    d.position() - payload..d.position()
}

#[test]
fn what_was_signed_is_what_is_read() {
    let stand = Stand::default();
    let key = stand.release_key.verifying_key();
    let release = Release::verify(&signed(&stand), key).unwrap();
    assert_eq!(release.version, "0.1.0");
    assert_eq!(release.not_after_ms, NOW + 1_000_000);
    assert_eq!(release.sign(&stand.release_key).unwrap(), signed(&stand));
}

/// A reader that knows only `CoRIM` finds product, version, number and register values.
#[test]
fn it_is_a_corim() {
    let stand = Stand::default();
    let manifest = signed(&stand);
    let release = Release::verify(&manifest, stand.release_key.verifying_key()).unwrap();
    let mut d = Decoder::new(&manifest[payload(&manifest)]);
    assert_eq!(d.tag().unwrap(), Tag::new(501));
    assert_eq!(d.map().unwrap(), Some(4));
    assert_eq!((d.u8().unwrap(), d.str().unwrap()), (0, "casemate 0.1.0"));
    assert_eq!((d.u8().unwrap(), d.array().unwrap()), (1, Some(1)));
    assert_eq!(d.tag().unwrap(), Tag::new(506));
    let comid = d.bytes().unwrap();
    assert_eq!((d.u8().unwrap(), d.tag().unwrap()), (3, Tag::new(32)));
    assert_eq!(d.str().unwrap(), casemate_attest::release::PROFILE);
    let mut d = Decoder::new(comid);
    // tag-identity, then the triples: { 4: { 0: [ [ environment, claims ] ] } }.
    d.map().unwrap();
    d.u8().unwrap();
    d.skip().unwrap();
    assert_eq!((d.u8().unwrap(), d.map().unwrap()), (4, Some(1)));
    d.u8().unwrap();
    d.array().unwrap();
    d.array().unwrap();
    d.skip().unwrap();
    assert_eq!(d.array().unwrap(), Some(13));
    d.skip().unwrap();
    let mut valued = 0;
    for reference in &release.references {
        d.map().unwrap();
        d.u8().unwrap();
        assert_eq!(d.u8().unwrap(), reference.pcr);
        d.u8().unwrap();
        let members = d.map().unwrap().unwrap();
        for _ in 0..members {
            let key = d.i8().unwrap();
            if key != 14 {
                d.skip().unwrap();
                continue;
            }
            assert_eq!(
                (d.map().unwrap(), d.u8().unwrap()),
                (Some(1), reference.pcr)
            );
            d.array().unwrap();
            assert_eq!((d.array().unwrap(), d.u8().unwrap()), (Some(2), 1));
            assert_eq!(d.datatype().unwrap(), Type::Bytes);
            assert_eq!(d.bytes().unwrap(), reference.value().as_bytes());
            valued += 1;
        }
    }
    assert_eq!(valued, 6, "4, 7, 11, 12, 13, 15");
}

#[test]
fn no_byte_of_it_can_be_changed() {
    let stand = Stand::default();
    let key = stand.release_key.verifying_key();
    let manifest = signed(&stand);
    for at in 0..manifest.len() {
        for bit in [1, 0x80] {
            let mut altered = manifest.clone();
            altered[at] ^= bit;
            assert!(Release::verify(&altered, key).is_err(), "byte {at}");
        }
        assert!(
            Release::verify(&manifest[..at], key).is_err(),
            "cut at {at}"
        );
    }
    let longer = [&manifest[..], &[0]].concat();
    assert!(Release::verify(&longer, key).is_err());
}

#[test]
fn another_key_is_named_as_such() {
    let stand = Stand::default();
    let stranger = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let manifest = stand.signed_release(&stranger, NOW);
    let error = Release::verify(&manifest, stand.release_key.verifying_key()).unwrap_err();
    assert!(matches!(error, ReleaseError::Key { .. }), "{error}");
}

/// Signed by the right key, and wrong inside: what the signature covers is not taken on trust.
mod resigned {
    use super::*;
    use coset::{CoseSign1, TaggedCborSerializable as _};
    use p256::ecdsa::Signature;
    use p256::ecdsa::signature::Signer as _;

    /// The manifest with its payload edited and signed anew by the release key.
    fn edited(edit: impl FnOnce(&mut Vec<u8>)) -> Result<Release, ReleaseError> {
        let stand = Stand::default();
        let mut cose = CoseSign1::from_tagged_slice(&signed(&stand)).unwrap();
        edit(cose.payload.as_mut().unwrap());
        let signature: Signature = stand.release_key.sign(&cose.tbs_data(b""));
        cose.signature = signature.to_vec();
        let bytes = cose.to_tagged_vec().unwrap();
        Release::verify(&bytes, stand.release_key.verifying_key())
    }

    fn replace(payload: &mut [u8], from: &[u8], to: &[u8]) {
        assert_eq!(from.len(), to.len());
        let at = payload
            .windows(from.len())
            .position(|window| window == from)
            .unwrap();
        payload[at..at + to.len()].copy_from_slice(to);
    }

    #[test]
    fn unedited_it_holds() {
        edited(|_| ()).unwrap();
    }

    #[test]
    fn an_id_that_is_not_product_and_version_is_refused() {
        let error = edited(|payload| replace(payload, b"casemate 0.1.0", b"casemate 0.1.1"));
        assert_eq!(error.unwrap_err().code().id, "release.malformed");
    }

    #[test]
    fn a_register_value_that_its_events_do_not_give_is_refused() {
        let stand = Stand::default();
        let key = stand.release_key.verifying_key();
        let value = Release::verify(&signed(&stand), key).unwrap().initrd_pcr11;
        let error = edited(|payload| replace(payload, value.as_bytes(), &[7; 32]));
        assert_eq!(error.unwrap_err().code().id, "release.malformed");
    }

    #[test]
    fn another_profile_is_refused() {
        let error = edited(|payload| replace(payload, b"release:2", b"release:3"));
        assert_eq!(error.unwrap_err().code().id, "release.malformed");
    }

    #[test]
    fn the_old_format_is_refused() {
        let error =
            edited(|payload| *payload = minicbor::to_vec(("casemate.release.1", 1)).unwrap());
        assert_eq!(error.unwrap_err().code().id, "release.malformed");
    }

    #[test]
    fn a_header_more_is_refused() {
        let stand = Stand::default();
        let mut cose = CoseSign1::from_tagged_slice(&signed(&stand)).unwrap();
        cose.unprotected.key_id = vec![1];
        let bytes = cose.to_tagged_vec().unwrap();
        let error = Release::verify(&bytes, stand.release_key.verifying_key()).unwrap_err();
        assert_eq!(error.code().id, "release.malformed");
    }
}
