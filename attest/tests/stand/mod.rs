//! A TPM in software with its keys in the open, and an appliance around it: makes evidence that
//! holds, and evidence that a TPM would never make. Real TPMs are asked in the top-level tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]
#![allow(dead_code, reason = "each test file uses its own part of the stand")]

use casemate_attest::artifacts::{Artifact, Manifest};
use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::checkpoint::{Checkpoint, Origin, cosigned_digest};
use casemate_attest::credential;
use casemate_attest::digest::Digest;
use casemate_attest::enrolment::{Appliance, Enrolment, EnrolmentRequest, PcrValue, Root};
use casemate_attest::evidence::{
    AuditHead, Body, Clock, Evidence, FORMAT, LogKey, POLICY_PCRS, RawQuote, Statement,
    log_key_qualifying,
};
use casemate_attest::export;
use casemate_attest::leaf::{Leaf, TpmClock};
use casemate_attest::merkle;
use casemate_attest::release::{BootRules, ExpectedEvent, Reference, Release, ReleaseParts, Rule};
use casemate_attest::tpm::public::Public;
use casemate_attest::verdict::Verdict;
use casemate_attest::verify::{Inputs, VerifyError, verify};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;

pub(crate) const NOW: u64 = 1_800_000_000_000;
pub(crate) const ORIGIN: &str = "casemate.test/audit";

pub(crate) const MAGIC: u32 = 0xff54_4347;
pub(crate) const CLOCK: TpmClock = TpmClock {
    ms: 6000,
    resets: 3,
    restarts: 1,
};
pub(crate) const QUOTE: u16 = 0x8018;
pub(crate) const CERTIFY: u16 = 0x8017;
/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
pub(crate) const AK_ATTRIBUTES: u32 = 0x0005_0072;
/// The same without restricted.
pub(crate) const LOG_ATTRIBUTES: u32 = 0x0004_0072;
const EK_ATTRIBUTES: u32 = 0x0003_00b2;
/// `PolicyA` of the TCG EK Credential Profile.
const EK_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    [
        &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..],
        bytes,
    ]
    .concat()
}

fn point(key: &p256::ecdsa::SigningKey) -> Vec<u8> {
    let point = key.verifying_key().to_encoded_point(false);
    [sized(point.x().unwrap()), sized(point.y().unwrap())].concat()
}

/// `TPM2B_PUBLIC` of a P-256 signing key, ECDSA with SHA-256.
pub(crate) fn signing_public(key: &p256::ecdsa::SigningKey, attributes: u32) -> Vec<u8> {
    signing_public_with(key, attributes, &[0x00, 0x18, 0x00, 0x0b])
}

pub(crate) fn signing_public_with(
    key: &p256::ecdsa::SigningKey,
    attributes: u32,
    scheme: &[u8],
) -> Vec<u8> {
    sized(
        &[
            &[0x00, 0x23, 0x00, 0x0b][..],
            &attributes.to_be_bytes(),
            &[0, 0],
            &[0x00, 0x10],
            scheme,
            &[0x00, 0x03, 0x00, 0x10],
            &point(key),
        ]
        .concat(),
    )
}

fn endorsement_public(key: &p256::ecdsa::SigningKey) -> Vec<u8> {
    sized(
        &[
            &[0x00, 0x23, 0x00, 0x0b][..],
            &EK_ATTRIBUTES.to_be_bytes(),
            &sized(&EK_POLICY),
            &[0x00, 0x06, 0x00, 0x80, 0x00, 0x43],
            &[0x00, 0x10, 0x00, 0x03, 0x00, 0x10],
            &point(key),
        ]
        .concat(),
    )
}

/// `TPMT_SIGNATURE`, ECDSA with SHA-256, over a digest.
pub(crate) fn sign(key: &p256::ecdsa::SigningKey, digest: &Digest) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = key.sign_prehash(digest.as_bytes()).unwrap();
    let signature = signature.normalize_s().unwrap_or(signature);
    let (r, s) = signature.split_bytes();
    [&[0x00, 0x18, 0x00, 0x0b][..], &sized(&r), &sized(&s)].concat()
}

/// One event of a log with SHA-256 only. The digest is over `data`.
pub(crate) fn event(pcr: u32, event_type: u32, data: &[u8]) -> Vec<u8> {
    event_with(pcr, event_type, &Digest::of(data), data)
}

pub(crate) fn event_with(pcr: u32, event_type: u32, digest: &Digest, data: &[u8]) -> Vec<u8> {
    [
        &pcr.to_le_bytes()[..],
        &event_type.to_le_bytes(),
        &1_u32.to_le_bytes(),
        &0x000b_u16.to_le_bytes(),
        digest.as_bytes(),
        &u32::try_from(data.len()).unwrap().to_le_bytes(),
        data,
    ]
    .concat()
}

/// The first record of a log with these banks.
pub(crate) fn log_header(banks: &[(u16, u16)]) -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend(0_u32.to_le_bytes());
    spec.extend([0, 2, 106, 2]);
    spec.extend(u32::try_from(banks.len()).unwrap().to_le_bytes());
    for (bank, size) in banks {
        spec.extend(bank.to_le_bytes());
        spec.extend(size.to_le_bytes());
    }
    spec.push(0);
    [
        &0_u32.to_le_bytes()[..],
        &3_u32.to_le_bytes(),
        &[0; 20],
        &u32::try_from(spec.len()).unwrap().to_le_bytes(),
        &spec,
    ]
    .concat()
}

pub(crate) const SEPARATOR: u32 = 4;
pub(crate) const IPL: u32 = 0x0d;
pub(crate) const VARIABLE: u32 = 0x8000_0001;
pub(crate) const APPLICATION: u32 = 0x8000_0003;

pub(crate) const ACTION: u32 = 0x8000_0007;
pub(crate) const AUTHORITY: u32 = 0x8000_00e0;

/// `EFI_GLOBAL_VARIABLE_GUID`.
pub(crate) const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
pub(crate) const SECURITY: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];
const CERT_X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];
const CERT_SHA256: [u8; 16] = [
    0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28,
];

/// `UEFI_VARIABLE_DATA`.
pub(crate) fn variable(vendor: &[u8; 16], name: &str, value: &[u8]) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    [
        &vendor[..],
        &(units.len() as u64).to_le_bytes(),
        &(value.len() as u64).to_le_bytes(),
        &units
            .iter()
            .flat_map(|unit| unit.to_le_bytes())
            .collect::<Vec<u8>>(),
        value,
    ]
    .concat()
}

/// `EFI_SIGNATURE_LIST` of entries of one size, each with an owner of zeros.
fn signature_list(kind: &[u8; 16], entries: &[&[u8]]) -> Vec<u8> {
    let entry = entries[0].len() + 16;
    let mut list = kind.to_vec();
    for size in [28 + entry * entries.len(), 0, entry] {
        list.extend(u32::try_from(size).unwrap().to_le_bytes());
    }
    for data in entries {
        list.extend([0; 16]);
        list.extend(*data);
    }
    list
}

pub(crate) fn certificates(entries: &[&[u8]]) -> Vec<u8> {
    signature_list(&CERT_X509, entries)
}

pub(crate) fn hashes(entries: &[[u8; 32]]) -> Vec<u8> {
    let entries: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
    signature_list(&CERT_SHA256, &entries)
}

/// An event of a boot: register, type, what it measures, payload.
pub(crate) type BootEvent = (u32, u32, &'static str, Vec<u8>);
pub(crate) type Events = Vec<BootEvent>;

/// The events of the stand's firmware: register, type, what it measures, payload. As a machine
/// with Secure Boot on that starts one image; digests are over the payloads throughout.
pub(crate) fn firmware_events() -> Events {
    let policy = |name: &'static str, vendor, value: &[u8]| {
        (7, VARIABLE, name, variable(vendor, name, value))
    };
    let mut events: Events = vec![
        (0, 0x08, "firmware version", b"1.0".to_vec()),
        (2, 0x8000_0004, "driver", b"option rom".to_vec()),
        policy("SecureBoot", &GLOBAL, &[1]),
        policy("PK", &GLOBAL, &certificates(&[b"platform key"])),
        policy("KEK", &GLOBAL, &certificates(&[b"exchange key"])),
        policy("db", &SECURITY, &certificates(&[b"image key"])),
        policy("dbx", &SECURITY, &hashes(&[[0xdb; 32]])),
        (
            4,
            ACTION,
            "boot option",
            b"Calling EFI Application from Boot Option".to_vec(),
        ),
    ];
    for pcr in 0..8 {
        events.push((pcr, SEPARATOR, "separator", vec![0; 4]));
    }
    let allowed = [&[0; 16][..], b"image key"].concat();
    events.push((
        7,
        AUTHORITY,
        "authority",
        variable(&SECURITY, "db", &allowed),
    ));
    events.push((4, APPLICATION, "loader", b"uki".to_vec()));
    for name in [".linux", ".initrd", ".cmdline", "enter-initrd"] {
        events.push((11, IPL, name, name.as_bytes().to_vec()));
    }
    events
}

pub(crate) fn firmware_log(events: &[BootEvent]) -> Vec<u8> {
    let mut log = log_header(&[(0x000b, 32)]);
    for (pcr, event_type, _, data) in events {
        log.extend(event(*pcr, *event_type, data));
    }
    log
}

pub(crate) fn runtime_log() -> Vec<u8> {
    [log_header(&[(0x000b, 32)]), event(15, IPL, b"unseal")].concat()
}

/// The registers after these logs, in the policy's order.
pub(crate) fn replay(logs: &[&[u8]]) -> Vec<PcrValue> {
    let mut values: Vec<PcrValue> = POLICY_PCRS
        .iter()
        .map(|pcr| PcrValue {
            pcr: *pcr,
            value: Digest::ZERO,
        })
        .collect();
    for log in logs {
        let log = casemate_attest::eventlog::Log::parse(log).unwrap();
        for (pcr, digest) in log.extends(0x000b) {
            for value in values.iter_mut().filter(|value| value.pcr == pcr) {
                value.value = Digest::of_parts(&[value.value.as_bytes(), digest]);
            }
        }
    }
    values
}

/// The references of a release that boots as this log has it; events are named by `name`.
fn references(log: &[u8], name: impl Fn(usize) -> String) -> Vec<Reference> {
    let log = casemate_attest::eventlog::EventLog::parse(log).unwrap();
    let of = |pcr: u8| -> Vec<ExpectedEvent> {
        let extending = log.events().iter().filter(|event| event.extends());
        extending
            .filter(|event| event.pcr == pcr)
            .map(|event| ExpectedEvent {
                name: name(event.number),
                event_type: event.event_type,
                digests: vec![event.sha256().unwrap()],
            })
            .collect()
    };
    let ipl = |name: &str| ExpectedEvent {
        name: name.to_owned(),
        event_type: IPL,
        digests: vec![Digest::of(name.as_bytes())],
    };
    let reference = |pcr: &u8| {
        let (rule, events, tail) = match pcr {
            0..=3 | 5 | 6 => (Rule::Enrolled, vec![], vec![]),
            11 => (
                Rule::Events,
                of(11),
                vec![ipl("leave-initrd"), ipl("sysinit")],
            ),
            15 => (Rule::Events, vec![ipl("unseal")], vec![]),
            other => (Rule::Events, of(*other), vec![]),
        };
        Reference {
            pcr: *pcr,
            bank: 0x000b,
            rule,
            events,
            tail,
        }
    };
    POLICY_PCRS.iter().map(reference).collect()
}

/// The appliance, its TPM, its owner and its auditor.
pub(crate) struct Stand {
    pub(crate) ek: p256::ecdsa::SigningKey,
    pub(crate) ak: p256::ecdsa::SigningKey,
    pub(crate) log_key: p256::ecdsa::SigningKey,
    pub(crate) audit: ed25519_dalek::SigningKey,
    pub(crate) owner: ed25519_dalek::SigningKey,
    pub(crate) release_key: p256::ecdsa::SigningKey,
    pub(crate) ak_attributes: u32,
    pub(crate) development: bool,
    pub(crate) root: Root,
    /// The firmware events that release and enrolment have, when not the usual ones.
    pub(crate) blessed: Option<Events>,
    /// The same as a log, which may be another machine's.
    pub(crate) blessed_log: Option<Vec<u8>>,
    /// The firmware log of the enrolment, when not the evidence's own.
    pub(crate) enrolled: Option<Vec<u8>>,
    /// Whether register 7 is the platform's: compared with enrolment, not with the release.
    pub(crate) platform_policy: bool,
    /// The boot attempts that the release allows to fail.
    pub(crate) failed_attempts: u64,
    pub(crate) firmware: Vec<u8>,
    pub(crate) runtime: Vec<u8>,
    pub(crate) leaves: Vec<Vec<u8>>,
    /// Another endorsement key, `TPM2B_PUBLIC`, with its certificate.
    pub(crate) certified: Option<(Vec<u8>, Vec<u8>)>,
    /// What the quote says of the TPM's clock.
    pub(crate) clock: TpmClock,
    pub(crate) clock_safe: bool,
}

/// What the auditor holds.
pub(crate) struct Auditor {
    owner_key: ed25519_dalek::VerifyingKey,
    pub(crate) enrolment: Vec<u8>,
    pub(crate) challenge: Vec<u8>,
    pub(crate) secret: Vec<u8>,
}

fn p256_key(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

impl Default for Stand {
    fn default() -> Self {
        let leaf = |seq| Leaf {
            version: 1,
            seq,
            kind: "job.finished".to_owned(),
            wall_ms: NOW,
            boot_ms: 1000,
            tpm: TpmClock {
                ms: 5000,
                resets: 3,
                restarts: 1,
            },
            tenant: [7; 16],
            subject: [8; 16],
            nonce: [9; 12],
            ciphertext: vec![1; 32],
        };
        Self {
            ek: p256_key(1),
            ak: p256_key(2),
            log_key: p256_key(3),
            release_key: p256_key(4),
            audit: ed25519_dalek::SigningKey::from_bytes(&[5; 32]),
            owner: ed25519_dalek::SigningKey::from_bytes(&[6; 32]),
            ak_attributes: AK_ATTRIBUTES,
            development: false,
            root: Root::FirstUse,
            blessed: None,
            blessed_log: None,
            enrolled: None,
            platform_policy: false,
            failed_attempts: 0,
            firmware: firmware_log(&firmware_events()),
            runtime: runtime_log(),
            leaves: (0..3).map(|seq| leaf(seq).to_bytes()).collect(),
            certified: None,
            clock: CLOCK,
            clock_safe: true,
        }
    }
}

impl Stand {
    fn blessed_events(&self) -> Events {
        self.blessed.clone().unwrap_or_else(firmware_events)
    }

    /// The firmware log that release and enrolment are of.
    fn blessed_log(&self) -> Vec<u8> {
        let log = self.blessed_log.clone();
        log.unwrap_or_else(|| firmware_log(&self.blessed_events()))
    }

    pub(crate) fn ek_public(&self) -> Vec<u8> {
        let certified = self.certified.as_ref().map(|(public, _)| public.clone());
        certified.unwrap_or_else(|| endorsement_public(&self.ek))
    }

    fn ek_certificate(&self) -> Vec<u8> {
        let certified = self.certified.as_ref();
        certified.map_or_else(Vec::new, |(_, certificate)| certificate.clone())
    }

    pub(crate) fn ak_public(&self) -> Vec<u8> {
        signing_public(&self.ak, self.ak_attributes)
    }

    pub(crate) fn enrolment_id(&self) -> Digest {
        Digest::of(&self.ek_public())
    }

    pub(crate) fn signed_release(
        &self,
        key: &p256::ecdsa::SigningKey,
        not_after_ms: u64,
    ) -> Vec<u8> {
        let mut references = references(&self.blessed_log(), |number| {
            let events = self.blessed_events();
            let event = events.get(number - 1);
            event.map_or_else(|| number.to_string(), |event| event.2.to_owned())
        });
        if self.platform_policy {
            let seventh = references.iter_mut().find(|pcr| pcr.pcr == 7).unwrap();
            (seventh.rule, seventh.events) = (Rule::Enrolled, vec![]);
        }
        let initrd_pcr11 = references.iter().find(|pcr| pcr.pcr == 11).unwrap().value();
        let parts = ReleaseParts {
            product: "casemate".to_owned(),
            version: "0.1.0".to_owned(),
            number: 1,
            development: self.development,
            not_after_ms,
            initrd_pcr11,
            references,
            pcr_policy_signature: [1; 64],
            boot: BootRules {
                exit_boot_services: false,
                failed_attempts: self.failed_attempts,
            },
        };
        Release::new(parts, key.verifying_key()).sign(key).unwrap()
    }

    pub(crate) fn request(&self) -> EnrolmentRequest {
        let values = replay(&[&self.blessed_log()]);
        let pcrs: Vec<Digest> = values[..8].iter().map(|pcr| pcr.value).collect();
        EnrolmentRequest::new(Appliance {
            ek_public: self.ek_public(),
            ek_certificate: self.ek_certificate(),
            ak_public: self.ak_public(),
            pcrs: pcrs.try_into().unwrap(),
            firmware_log: Digest::of(self.enrolled.as_ref().unwrap_or(&self.firmware)),
            floor_name: vec![0; 34],
            audit_origin: Origin::new(ORIGIN).unwrap(),
            audit_key: self.audit.verifying_key().to_bytes(),
        })
    }

    pub(crate) fn enrolment(&self) -> Vec<u8> {
        Enrolment::sign(&self.request(), self.root, "stand", NOW, &self.owner)
    }

    pub(crate) fn auditor(&self) -> Auditor {
        let secret = [0x5a; 32];
        let name = Public::from_sized(&self.ak_public())
            .unwrap()
            .name()
            .to_vec();
        let made = credential::make(&self.ek_public(), &name, &secret, &[0x11; 32]).unwrap();
        let mut challenge = Challenge::new([0x33; 32], "test", NOW - 1000, NOW + 1000);
        challenge.enrolment = self.enrolment_id();
        challenge.credential = made.id_object;
        challenge.encrypted_secret = made.encrypted_secret;
        let challenge = challenge.to_bytes();
        let secret = ChallengeSecret::new(&challenge, secret).to_bytes();
        Auditor {
            owner_key: self.owner.verifying_key(),
            enrolment: self.enrolment(),
            challenge,
            secret,
        }
    }

    /// `TPMS_ATTEST` up to the part that the kinds differ in.
    pub(crate) fn attest_header(&self, magic: u32, kind: u16, qualifying: &[u8]) -> Vec<u8> {
        let ak = Public::from_sized(&self.ak_public()).unwrap();
        // The log key was certified once, whatever the clock says since.
        let (clock, safe) = match kind {
            CERTIFY => (CLOCK, true),
            _ => (self.clock, self.clock_safe),
        };
        [
            &magic.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &sized(&ak.qualified_name(&[0x40, 0x00, 0x00, 0x0b])),
            &sized(qualifying),
            &clock.ms.to_be_bytes(),
            &clock.resets.to_be_bytes(),
            &clock.restarts.to_be_bytes(),
            &[u8::from(safe)],
            &0x2023_u64.to_be_bytes(),
        ]
        .concat()
    }

    /// A quote's `TPMS_ATTEST` over these values, whatever they are.
    pub(crate) fn quote_attest(
        &self,
        qualifying: &Digest,
        bank: u16,
        pcrs: &[PcrValue],
    ) -> Vec<u8> {
        let values: Vec<u8> = pcrs.iter().flat_map(|pcr| *pcr.value.as_bytes()).collect();
        let bits = pcrs.iter().fold(0_u32, |bits, pcr| bits | 1 << pcr.pcr);
        let [low, middle, high, _] = bits.to_le_bytes();
        [
            &self.attest_header(MAGIC, QUOTE, qualifying.as_bytes())[..],
            &1_u32.to_be_bytes(),
            &bank.to_be_bytes(),
            &[3, low, middle, high],
            &sized(Digest::of(&values).as_bytes()),
        ]
        .concat()
    }

    pub(crate) fn quote(&self, qualifying: &Digest) -> RawQuote {
        let pcrs = replay(&[&self.firmware, &self.runtime]);
        let attest = self.quote_attest(qualifying, 0x000b, &pcrs);
        let signature = sign(&self.ak, &Digest::of(&attest));
        RawQuote {
            attest,
            signature,
            pcrs,
        }
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let hashes: Vec<Digest> = self
            .leaves
            .iter()
            .map(|leaf| merkle::leaf_hash(leaf))
            .collect();
        Checkpoint {
            origin: Origin::new(ORIGIN).unwrap(),
            size: hashes.len() as u64,
            root: merkle::root(&hashes),
        }
    }

    pub(crate) fn export(&self) -> Vec<u8> {
        let origin = Origin::new(ORIGIN).unwrap();
        let note = self.checkpoint().sign(&self.audit);
        let leaves = self.leaves.iter().map(Vec::as_slice);
        export::write(&origin, leaves, &note, &self.audit.verifying_key())
    }

    pub(crate) fn log_key_certified(&self) -> LogKey {
        let public = signing_public(&self.log_key, LOG_ATTRIBUTES);
        let name = Public::from_sized(&public).unwrap().name().to_vec();
        let qualifying = log_key_qualifying(&self.enrolment_id());
        let attest = [
            self.attest_header(MAGIC, CERTIFY, qualifying.as_bytes()),
            sized(&name),
            sized(&name),
        ]
        .concat();
        let signature = sign(&self.ak, &Digest::of(&attest));
        LogKey {
            public,
            attest,
            signature,
        }
    }

    pub(crate) fn body(&self, challenge: &[u8]) -> Body {
        let checkpoint = self.checkpoint();
        let cosigned_ms = NOW - 10;
        let artifact = Artifact {
            name: "out/invoices.xlsx".to_owned(),
            media: "application/octet-stream".to_owned(),
            size: 3,
            sha256: Digest::of(b"abc"),
        };
        let manifest = Manifest::new([0xaa; 16], Digest::of(b"spec"), vec![artifact]);
        Body {
            format: FORMAT.to_owned(),
            challenge: challenge.to_vec(),
            enrolment: self.enrolment_id(),
            ek_public: self.ek_public(),
            ek_certificate: self.ek_certificate(),
            ak_public: self.ak_public(),
            activation: if challenge.is_empty() {
                vec![]
            } else {
                vec![0x5a; 32]
            },
            release: self.signed_release(&self.release_key, NOW + 1_000_000),
            firmware_log: self.firmware.clone(),
            runtime_log: self.runtime.clone(),
            log_key: self.log_key_certified(),
            audit: AuditHead {
                note: checkpoint.sign(&self.audit).into_bytes(),
                key: self.audit.verifying_key().to_bytes(),
                cosigned_ms,
                cosignature: sign(&self.log_key, &cosigned_digest(&checkpoint, cosigned_ms)),
            },
            artifacts: vec![manifest.sign(&self.audit).into()],
            clock: Clock {
                wall_ms: NOW,
                boot_ms: 1000,
                tpm: TpmClock {
                    ms: self.clock.ms - 500,
                    ..self.clock
                },
            },
            statements: vec![Statement {
                name: "host".to_owned(),
                value: "stand".to_owned(),
            }],
            digests: vec![],
        }
        .sealed()
    }

    pub(crate) fn evidence(&self, challenge: &[u8]) -> Evidence {
        let body = self.body(challenge);
        let quote = self.quote(&body.qualifying());
        Evidence::new(body, vec![quote])
    }

    pub(crate) fn judge(&self, auditor: &Auditor, evidence: &[u8]) -> Result<Verdict, VerifyError> {
        self.judge_with(auditor, evidence, |inputs| inputs)
    }

    pub(crate) fn judge_with(
        &self,
        auditor: &Auditor,
        evidence: &[u8],
        change: impl for<'i> FnOnce(Inputs<'i>) -> Inputs<'i>,
    ) -> Result<Verdict, VerifyError> {
        let inputs = self.inputs(auditor);
        verify(&change(Inputs { evidence, ..inputs }))
    }

    /// What this auditor gives, but for the evidence.
    pub(crate) fn inputs<'a>(&'a self, auditor: &'a Auditor) -> Inputs<'a> {
        Inputs {
            evidence: &[],
            enrolment: &auditor.enrolment,
            owner_key: &auditor.owner_key,
            release_key: self.release_key.verifying_key(),
            challenge: Some(&auditor.challenge),
            secret: Some(&auditor.secret),
            export: None,
            now_ms: NOW,
            accept_development: false,
        }
    }
}
