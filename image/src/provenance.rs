//! How a release was made: an in-toto statement with SLSA's predicate, signed in an envelope.
//!
//! What it says to whoever holds the release key's public half: these files were made by `image`
//! from these locked inputs. What it does not say: when and on which machine. Both would make two
//! builds differ, and neither can be checked; building again can.
//!
//! in-toto Attestation Framework v1 (Statement); SLSA 1.0 (Provenance); DSSE 1.0 (envelope).

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};

use crate::digest::{self, Sha};
use crate::error::BuildError;
use crate::keys::PackKey;
use crate::sbom::{Bill, Origin};
use crate::tool::Tool;

/// What the envelope's bytes are.
const PAYLOAD: &str = "application/vnd.in-toto+json";
const BUILD: &str = "tag:casemate.invalid,2026:image-build:1";
const BUILDER: &str = "tag:casemate.invalid,2026:image";

/// A file of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub sha256: Sha,
}

/// The source that a build is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The commit, hex.
    pub commit: String,
    /// Whether files of the checkout differ from it.
    pub modified: bool,
}

impl Source {
    /// Asks git.
    ///
    /// # Errors
    /// `Tool` when the checkout is none of git's.
    pub fn of_checkout(checkout: &Path) -> Result<Self, BuildError> {
        // A checkout of another user is read as well: nothing of it is run.
        let git = || {
            let safe = format!("safe.directory={}", checkout.display());
            Tool::new("git").dir(checkout).arg("-c").arg(safe)
        };
        let commit = git().args(["rev-parse", "HEAD"]).output()?;
        let changes = git()
            .args(["status", "--porcelain", "--untracked-files=no"])
            .output()?;
        Ok(Self {
            commit: String::from_utf8_lossy(&commit).trim().to_owned(),
            modified: !changes.is_empty(),
        })
    }
}

/// The statement's bytes.
#[must_use]
pub fn statement(subjects: &[Subject], source: &Source, bill: &Bill) -> String {
    let subject: Vec<Value> = subjects
        .iter()
        .map(|of| json!({ "name": of.name, "digest": { "sha256": hex::encode(of.sha256) } }))
        .collect();
    let mut materials = vec![json!({
        "uri": "git+https://casemate.invalid/casemate",
        "digest": { "gitCommit": source.commit },
        "annotations": { "modified": source.modified },
    })];
    for component in bill
        .components
        .iter()
        .filter(|one| one.origin != Origin::Own)
    {
        let Some(sha256) = &component.sha256 else {
            continue;
        };
        materials.push(json!({ "uri": component.purl, "digest": { "sha256": sha256 } }));
    }
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": { "version": bill.version, "epoch": bill.epoch },
                "resolvedDependencies": materials,
            },
            "runDetails": {
                "builder": { "id": BUILDER, "version": { "image": env!("CARGO_PKG_VERSION") } },
            },
        },
    });
    statement.to_string()
}

/// The statement in its envelope, signed: ECDSA P-256 with SHA-256, DER, as `openssl dgst` reads it.
///
/// # Errors
/// `Key` when the key does not sign.
pub fn envelope(statement: &str, key: &PackKey) -> Result<String, BuildError> {
    let signature = key.sign(&authenticated(statement.as_bytes()));
    let unusable = |why: String| BuildError::Key {
        path: "release key".into(),
        why,
    };
    let signature: DerSignature = Signature::from_slice(&signature)
        .map_err(|error| unusable(error.to_string()))?
        .to_der();
    let id = digest::of_bytes(key.public_pem()?.as_bytes());
    let envelope = json!({
        "payloadType": PAYLOAD,
        "payload": Base64::encode_string(statement.as_bytes()),
        "signatures": [{
            "keyid": hex::encode(id),
            "sig": Base64::encode_string(signature.as_bytes()),
        }],
    });
    Ok(format!("{envelope:#}\n"))
}

/// DSSE's pre-authentication encoding: what is signed.
#[must_use]
pub fn authenticated(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The published envelope of exactly this statement, whose signature is the release key's.
///
/// # Errors
/// `File`, `Signature` when it is of another statement or by another key.
pub fn kept(statement: &str, path: &Path, public: &Path) -> Result<String, BuildError> {
    let refuse = |why: &str| BuildError::Signature {
        what: path.display().to_string(),
        why: why.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(BuildError::file("read", path))?;
    let pem = std::fs::read_to_string(public).map_err(BuildError::file("read", public))?;
    let payload = open(&text, &pem).ok_or_else(|| refuse("is not signed by the release key"))?;
    if payload != statement.as_bytes() {
        return Err(refuse(
            "states another build: these are not the same inputs",
        ));
    }
    Ok(text)
}

/// The payload of an envelope, if the key signed it.
#[must_use]
pub fn open(envelope: &str, public_pem: &str) -> Option<Vec<u8>> {
    let envelope: Value = serde_json::from_str(envelope).ok()?;
    if envelope.get("payloadType")?.as_str()? != PAYLOAD {
        return None;
    }
    let payload = Base64::decode_vec(envelope.get("payload")?.as_str()?).ok()?;
    let signature = envelope.get("signatures")?.get(0)?.get("sig")?.as_str()?;
    let signature = Signature::from_der(&Base64::decode_vec(signature).ok()?).ok()?;
    let key = p256::PublicKey::from_public_key_pem(public_pem).ok()?;
    VerifyingKey::from(&key)
        .verify(&authenticated(&payload), &signature)
        .ok()?;
    Some(payload)
}
