//! The development release: a recorded firmware and UKI event sequence with its log, and a
//! manifest that predicts what it leaves in the PCRs.
//!
//! It is a *recording of what firmware would measure*, marked as development throughout; no
//! firmware runs on the stand. The log ([`recording`]) and the prediction
//! ([`casemate_attest::predict`]) are both made from [`Boot`], by different code: one writes what
//! the firmware does, event by event, the other says what a release promises. A test holds them
//! against each other.

mod boot;
mod certificate;
mod key;
mod manifest;
mod pe;
mod recording;

pub use boot::{Boot, Variable};
pub use key::ReleaseKey;
pub use manifest::{Signed, sign};
pub(crate) use manifest::{Subject, sign_subject};
pub use recording::record;

use std::path::{Path, PathBuf};

use crate::error::BuildError;

/// Writes `firmware.log` and `release.cose` into `out`, signed by `keys/release.key`.
/// Returns the paths written.
///
/// # Errors
/// `Key` when the release key is missing or unusable, `File` when a file cannot be written.
pub fn make_development_release(keys: &Path, out: &Path) -> Result<[PathBuf; 2], BuildError> {
    let key_path = keys.join("release.key");
    let key = ReleaseKey::read(&key_path)?;
    let boot = Boot::development();
    let signed = sign(&boot, &key)?;
    std::fs::create_dir_all(out).map_err(BuildError::file("make", out))?;
    let files = [
        ("firmware.log", record(&boot)),
        ("release.cose", signed.manifest),
    ];
    let mut written = [PathBuf::new(), PathBuf::new()];
    for (slot, (name, bytes)) in written.iter_mut().zip(files) {
        let path = out.join(name);
        let part = out.join(format!("{name}.part"));
        std::fs::write(&part, bytes).map_err(BuildError::file("write", &part))?;
        std::fs::rename(&part, &path).map_err(BuildError::file("write", &path))?;
        *slot = path;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_attest::digest::Digest;
    use casemate_attest::eventlog::EventLog;
    use casemate_attest::eventlog::payload::Payload;
    use casemate_attest::release::Release;
    use casemate_attest::sealing;

    fn replay(log: &EventLog<'_>, register: u8) -> Digest {
        log.events()
            .iter()
            .filter(|event| event.extends() && event.pcr == register)
            .filter_map(|event| event.sha256())
            .fold(Digest::ZERO, |value, digest| {
                Digest::of_parts(&[value.as_bytes(), digest.as_bytes()])
            })
    }

    fn signed() -> (Vec<u8>, Release) {
        let boot = Boot::development();
        let key = ReleaseKey::of_scalar([7; 32]);
        let release = Release::verify(&sign(&boot, &key).unwrap().manifest, &key.public()).unwrap();
        (record(&boot), release)
    }

    #[test]
    fn the_recorded_log_replays_to_what_the_manifest_predicts() {
        let (bytes, release) = signed();
        let log = EventLog::parse(&bytes).unwrap();
        for register in [4, 7] {
            assert_eq!(
                replay(&log, register),
                release.reference(register).unwrap().value()
            );
        }
        // The last event of PCR 11 is measured by the initrd, not by the firmware.
        let phase = Digest::of(sealing::ENTER_INITRD);
        let entered = Digest::of_parts(&[replay(&log, 11).as_bytes(), phase.as_bytes()]);
        assert_eq!(entered, release.reference(11).unwrap().value());
        assert_eq!(entered, release.initrd_pcr11);
        for register in [12, 13] {
            assert_eq!(replay(&log, register), Digest::ZERO);
            assert!(release.reference(register).unwrap().events.is_empty());
        }
    }

    #[test]
    fn each_predicted_event_has_the_recorded_type_and_digest() {
        let (bytes, release) = signed();
        let log = EventLog::parse(&bytes).unwrap();
        for register in [4, 7, 11] {
            let expected = release.reference(register).unwrap().events.iter();
            let events = log.events().iter().filter(|event| event.pcr == register);
            for (event, expected) in events.zip(expected) {
                assert_eq!(event.event_type, expected.event_type, "{}", expected.name);
                assert!(
                    expected.digests.contains(&event.sha256().unwrap()),
                    "{}",
                    expected.name
                );
            }
        }
    }

    #[test]
    fn every_event_says_what_its_type_says() {
        let (bytes, _) = signed();
        for event in EventLog::parse(&bytes).unwrap().events() {
            let payload = event.payload();
            assert!(!matches!(payload, Payload::Malformed(_)), "{event:?}");
        }
    }

    #[test]
    fn every_platform_register_is_measured_and_separated() {
        let (bytes, _) = signed();
        let log = EventLog::parse(&bytes).unwrap();
        for register in 0..8 {
            let separators = log
                .events()
                .iter()
                .filter(|e| e.pcr == register && e.event_type == 4)
                .count();
            assert_eq!(separators, 1, "PCR {register}");
        }
    }

    #[test]
    fn one_changed_byte_of_the_kernel_changes_registers_4_and_11_only() {
        let mut changed = Boot::development();
        for (name, content) in &mut changed.sections {
            if *name == ".linux" {
                content[0] ^= 1;
            }
        }
        let (before, after) = (record(&Boot::development()), record(&changed));
        let logs = [
            EventLog::parse(&before).unwrap(),
            EventLog::parse(&after).unwrap(),
        ];
        for register in 0..16 {
            let [before, after] = &logs;
            let same = replay(before, register) == replay(after, register);
            assert_eq!(same, ![4, 11].contains(&register), "PCR {register}");
        }
    }

    #[test]
    fn the_policy_signature_is_the_release_keys() {
        use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
        let (_, release) = signed();
        let approved = sealing::release_approved(*release.initrd_pcr11.as_bytes(), release.number);
        let hash = sealing::authorization_hash(&approved, sealing::RELEASE_REF);
        let signature = p256::ecdsa::Signature::from_slice(&release.pcr_policy_signature).unwrap();
        ReleaseKey::of_scalar([7; 32])
            .public()
            .verify_prehash(&hash, &signature)
            .unwrap();
    }

    #[test]
    fn the_release_is_written_and_is_the_same_each_time() {
        let dir = tempfile::tempdir().unwrap();
        crate::keys::make_development_keys(dir.path()).unwrap();
        let first = make_development_release(dir.path(), dir.path()).unwrap();
        let bytes = first.clone().map(|path| std::fs::read(path).unwrap());
        let again = make_development_release(dir.path(), dir.path()).unwrap();
        assert_eq!(bytes, again.map(|path| std::fs::read(path).unwrap()));
    }
}
