//! The enrolment request, and the answer to the auditor's challenge.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use casemate_attest::challenge::Challenge;
use casemate_attest::checkpoint::{Checkpoint, Origin, cosigned_digest};
use casemate_attest::digest::Digest;
use casemate_attest::enrolment::{Appliance, EnrolmentRequest};
use casemate_attest::evidence::{
    AuditHead, Body, Clock, Evidence, FORMAT, LogKey, Statement, log_key_qualifying,
};
use casemate_attest::leaf::Leaf;
use casemate_attest::{export, merkle, sealing};
use casemate_device::{AttestationKey, Handover, Tpm};
use ed25519_dalek::SigningKey;

use crate::{Step, put, stick};

const ORIGIN: &str = "casemate.boot-test/audit";

/// Writes the request, and the evidence if there is a challenge. Says what it wrote.
pub(crate) fn write(
    tpm: &Tpm,
    handover: &Handover,
    firmware_log: &[u8],
    runtime_log: &[u8],
) -> Step<&'static str> {
    let audit = audit_key()?;
    let ak = tpm.attestation_key()?;
    let request = request(tpm, &ak, firmware_log, &audit)?;
    put("enrolment-request", &request.to_bytes())?;
    let challenge = stick("challenge");
    if !Path::new(&challenge).exists() {
        return Ok("enrolment-request");
    }
    let asked = fs::read(challenge)?;
    let (wall_ms, boot_ms) = now()?;
    let clock = Clock {
        wall_ms,
        boot_ms,
        tpm: tpm.clock()?.clock,
    };
    let challenge = Challenge::from_bytes(&asked)?;
    let activation = if challenge.credential.is_empty() {
        Vec::new()
    } else {
        ak.activate(&challenge.credential, &challenge.encrypted_secret)?
    };
    let (log_key, head) = log_key(tpm, &ak, handover, &request, &audit, clock)?;
    let body = Body {
        format: FORMAT.to_owned(),
        challenge: asked,
        enrolment: request.id(),
        ek_public: request.ek_public.clone(),
        ek_certificate: request.ek_certificate.clone(),
        ak_public: ak.public(),
        activation,
        release: fs::read(stick("release.cose"))?,
        firmware_log: firmware_log.to_vec(),
        runtime_log: runtime_log.to_vec(),
        log_key,
        audit: head,
        artifacts: Vec::new(),
        clock,
        statements: vec![Statement {
            name: "kernel".to_owned(),
            value: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
        }],
        digests: Vec::new(),
    }
    .sealed();
    let quote = ak.quote(&body.qualifying())?;
    put("evidence", &Evidence::new(body, vec![quote]).to_bytes())?;
    Ok("evidence")
}

fn origin() -> Step<Origin> {
    Ok(Origin::new(ORIGIN).ok_or("the origin is no origin")?)
}

/// The audit log's key: made at the first boot, kept with the state.
fn audit_key() -> Step<SigningKey> {
    let path = stick("state/audit.key");
    if let Ok(bytes) = fs::read(&path) {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| "audit.key is damaged")?;
        return Ok(SigningKey::from_bytes(&bytes));
    }
    let mut seed = [0; 32];
    getrandom::getrandom(&mut seed)?;
    put("state/audit.key", &seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

fn request(
    tpm: &Tpm,
    ak: &AttestationKey,
    firmware_log: &[u8],
    audit: &SigningKey,
) -> Step<EnrolmentRequest> {
    let values = tpm.pcrs(&[0, 1, 2, 3, 4, 5, 6, 7])?;
    let pcrs: Vec<Digest> = values.into_iter().map(|(_, v)| Digest::new(v)).collect();
    Ok(EnrolmentRequest::new(Appliance {
        ek_public: tpm.ek_public()?,
        ek_certificate: tpm.ek_certificate()?.unwrap_or_default(),
        ak_public: ak.public(),
        pcrs: pcrs
            .try_into()
            .map_err(|_| "eight registers were asked for")?,
        firmware_log: Digest::of(firmware_log),
        floor_name: sealing::floor_name(),
        audit_origin: origin()?,
        audit_key: audit.verifying_key().to_bytes(),
    }))
}

/// The log key with its certification, and the head of an audit log that holds this boot.
fn log_key(
    tpm: &Tpm,
    ak: &AttestationKey,
    handover: &Handover,
    request: &EnrolmentRequest,
    audit: &SigningKey,
    clock: Clock,
) -> Step<(LogKey, AuditHead)> {
    let leaf = Leaf {
        version: 1,
        seq: 0,
        kind: "appliance.started".to_owned(),
        wall_ms: clock.wall_ms,
        boot_ms: clock.boot_ms,
        tpm: clock.tpm,
        tenant: [0; 16],
        subject: [0; 16],
        nonce: [0; 12],
        ciphertext: Vec::new(),
    };
    let (leaf, origin) = (leaf.to_bytes(), origin()?);
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size: 1,
        root: merkle::root(&[merkle::leaf_hash(&leaf)]),
    };
    let note = checkpoint.sign(audit);
    let verifying = audit.verifying_key();
    let leaves = [leaf.as_slice()].into_iter();
    put("audit", &export::write(&origin, leaves, &note, &verifying))?;
    let storage = tpm.storage_root(&handover.srk_name)?;
    let key = storage.log_key(&handover.log_key_name)?;
    let auth = handover.log_auth();
    let (attest, signature) = ak.certify(&key, &auth, &log_key_qualifying(&request.id()))?;
    let digest = cosigned_digest(&checkpoint, clock.wall_ms);
    let head = AuditHead {
        note: note.into_bytes(),
        key: verifying.to_bytes(),
        cosigned_ms: clock.wall_ms,
        cosignature: key.sign(&auth, digest.as_bytes())?,
    };
    let certified = LogKey {
        public: key.public(),
        attest,
        signature,
    };
    Ok((certified, head))
}

/// Milliseconds since 1970 and since this boot.
fn now() -> Step<(u64, u64)> {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let seconds: f64 = uptime
        .split_whitespace()
        .next()
        .ok_or("/proc/uptime is empty")?
        .parse()?;
    let boot = std::time::Duration::from_secs_f64(seconds);
    Ok((
        u64::try_from(wall.as_millis())?,
        u64::try_from(boot.as_millis())?,
    ))
}
