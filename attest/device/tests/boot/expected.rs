//! What the boot must measure, computed here from the files alone, and the release that says so.
//!
//! An oracle of its own: it shares no code with the predictor that releases are built with.

use casemate_attest::digest::Digest;
use casemate_attest::evidence::POLICY_PCRS;
use casemate_attest::release::{BootRules, ExpectedEvent, Reference, Release, ReleaseParts, Rule};
use casemate_attest::sealing;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};

use crate::firmware::{GLOBAL, Keys, SECURITY_DATABASE, Variable};
use crate::uki::authenticode;

pub(crate) const NUMBER: u64 = 1;
const VERSION: &str = "0.1.0 (boot test)";

fn event(name: &str, event_type: u32, digest: Digest) -> ExpectedEvent {
    ExpectedEvent {
        name: name.to_owned(),
        event_type,
        digests: vec![digest],
    }
}

/// PCR 4: the firmware announces and loads the UKI. The kernel in it is covered by the UKI's
/// digest: systemd-stub 252 starts it past the firmware's check, so that it is not measured again.
pub(crate) fn pcr4(uki: &[u8]) -> Vec<ExpectedEvent> {
    let action = Digest::of(b"Calling EFI Application from Boot Option");
    vec![
        event("boot option", 0x8000_0007, action),
        event("separator", 4, Digest::of(&[0; 4])),
        event("UKI", 0x8000_0003, Digest::new(authenticode(uki))),
    ]
}

/// PCR 7 with Secure Boot on: the variables, the separator, what the UKI was allowed by.
pub(crate) fn pcr7(keys: &Keys) -> Vec<ExpectedEvent> {
    let mut events = variables(keys, true);
    let authority = measured(&SECURITY_DATABASE, "db", &keys.authority());
    events.push(event("authority", 0x8000_00e0, authority));
    events
}

/// PCR 7 up to its separator.
pub(crate) fn variables(keys: &Keys, secure_boot: bool) -> Vec<ExpectedEvent> {
    let switch = Variable {
        name: "SecureBoot",
        guid: GLOBAL,
        data: vec![u8::from(secure_boot)],
    };
    let mut events: Vec<ExpectedEvent> = std::iter::once(switch)
        .chain(keys.variables())
        .map(|v| event(v.name, 0x8000_0001, measured(&v.guid, v.name, &v.data)))
        .collect();
    events.push(event("separator", 4, Digest::of(&[0; 4])));
    events
}

/// `UEFI_VARIABLE_DATA`: GUID, lengths, name in UTF-16, data.
fn measured(guid: &[u8; 16], name: &str, data: &[u8]) -> Digest {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = |count: usize| u64::try_from(count).unwrap().to_le_bytes();
    let lengths = (length(name.len() / 2), length(data.len()));
    Digest::of_parts(&[guid, &lengths.0, &lengths.1, &name, data])
}

/// PCR 11: name and content of the sections in systemd-stub 252's order, then the phase.
pub(crate) fn pcr11(sections: &[(&str, &[u8])]) -> Vec<ExpectedEvent> {
    let mut events = Vec::new();
    for wanted in [".linux", ".osrel", ".cmdline", ".initrd"] {
        let (name, content) = sections.iter().find(|(name, _)| *name == wanted).unwrap();
        let label = Digest::of_parts(&[name.as_bytes(), &[0]]);
        events.push(event(&format!("{name} name"), sealing::EV_IPL, label));
        events.push(event(name, sealing::EV_IPL, Digest::of(content)));
    }
    let phase = Digest::of(sealing::ENTER_INITRD);
    events.push(event("enter-initrd", sealing::EV_IPL, phase));
    events
}

/// The register after these events.
pub(crate) fn value(events: &[ExpectedEvent]) -> Digest {
    events.iter().fold(Digest::ZERO, |value, event| {
        Digest::of_parts(&[value.as_bytes(), event.digests[0].as_bytes()])
    })
}

/// The manifest of a release that boots like this.
pub(crate) fn release(registers: &[(u8, Vec<ExpectedEvent>)], key: &SigningKey) -> Vec<u8> {
    let opened = Digest::of(&sealing::unseal_event(NUMBER));
    let references = POLICY_PCRS.map(|pcr| {
        let given = registers.iter().find(|(register, _)| *register == pcr);
        let events = match (pcr, given) {
            (15, _) => vec![event("unseal", sealing::EV_EVENT_TAG, opened)],
            (_, Some((_, events))) => events.clone(),
            (_, None) => Vec::new(),
        };
        let rule = if matches!(pcr, 0..=3 | 5 | 6) {
            Rule::Enrolled
        } else {
            Rule::Events
        };
        Reference {
            pcr,
            bank: 0x000b,
            rule,
            events,
            tail: Vec::new(),
        }
    });
    let initrd_pcr11 = references.iter().find(|r| r.pcr == 11).unwrap().value();
    let approved = sealing::release_approved(*initrd_pcr11.as_bytes(), NUMBER);
    let hash = sealing::authorization_hash(&approved, sealing::RELEASE_REF);
    let signature: Signature = key.sign_prehash(&hash).unwrap();
    let parts = ReleaseParts {
        product: "casemate".to_owned(),
        version: VERSION.to_owned(),
        number: NUMBER,
        development: true,
        not_after_ms: 2_082_758_400_000,
        initrd_pcr11,
        references: references.to_vec(),
        pcr_policy_signature: signature.to_bytes().into(),
        boot: BootRules {
            exit_boot_services: true,
            failed_attempts: 0,
        },
    };
    Release::new(parts, key.verifying_key()).sign(key).unwrap()
}
