//! From a job to a verdict.

use std::io::Read as _;

use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::credential;
use casemate_attest::enrolment::{Enrolment, EnrolmentRequest, Root};
use casemate_attest::tpm::public::Public;
use casemate_attest::verify::{Inputs, verify};
use casemate_protocol::event::{Event, JobEnd};
use ed25519_dalek::SigningKey;

use crate::bed::agent::Agent;
use crate::bed::{Bed, boot};

#[test]
fn a_job_runs_from_request_to_manifest() {
    let mut bed = Bed::running();
    let mut agent = Agent::settled(&bed);
    bed.add_workflow("greet", "requeue");
    let document = bed.document("letter.txt", "dear");
    let job = bed.json(&[
        "job",
        "run",
        "greet",
        "--input",
        &document,
        "--param",
        "language=en",
    ]);
    let mut lease = agent.lease();
    assert_eq!(job["job"], lease.job().to_string());
    assert_eq!(
        lease.spec.parameters,
        [("language".to_owned(), "en".to_owned())]
    );
    assert_eq!(lease.bundle.digest(), lease.spec.bundle);
    let mut text = String::new();
    lease.inputs[0].read_to_string(&mut text).unwrap();
    assert_eq!(text, "dear");
    let id = lease.job();
    agent.event(
        id,
        Event::Phase {
            name: "desktop".to_owned(),
            at_ms: 5,
        },
    );
    agent.step(id, 1);
    agent.file(id, "out/result.txt", b"hello");
    agent.end(id, JobEnd::Succeeded);
    let job = bed.wait_for_state(&id.to_string(), "succeeded");
    assert_eq!((&job["steps"], &job["artifacts"]), (&1.into(), &1.into()));
    assert_eq!(bed.casemate(&["audit", "verify"]).exit, 0);
    bed.stop();
}

/// An auditor with an owner's key.
struct Auditor {
    owner: SigningKey,
    enrolment: Vec<u8>,
    now_ms: u64,
}

impl Auditor {
    fn enrol(bed: &Bed) -> Self {
        let out = bed.path("enrolment");
        let said = bed.casemate(&["enrolment", "--out", out.to_str().unwrap()]);
        assert_eq!(said.exit, 0, "{said:?}");
        let request = EnrolmentRequest::from_bytes(&std::fs::read(out).unwrap()).unwrap();
        let owner = SigningKey::from_bytes(&[3; 32]);
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let now_ms = u64::try_from(since.as_millis()).unwrap();
        let enrolment = Enrolment::sign(&request, Root::Development, "bed", now_ms, &owner);
        Self {
            owner,
            enrolment,
            now_ms,
        }
    }

    fn challenge(&self) -> (Vec<u8>, Vec<u8>) {
        let record = Enrolment::verify(&self.enrolment, &self.owner.verifying_key()).unwrap();
        let request = record.request();
        let ak = Public::from_sized(&request.ak_public).unwrap();
        let mut challenge = Challenge::new([4; 32], "test", self.now_ms, self.now_ms + 3_600_000);
        let secret = [5; 32];
        let made = credential::make(&request.ek_public, ak.name(), &secret, &[6; 32]).unwrap();
        challenge.enrolment = *record.id();
        challenge.credential = made.id_object;
        challenge.encrypted_secret = made.encrypted_secret;
        let bytes = challenge.to_bytes();
        let side = ChallengeSecret::new(&bytes, secret).to_bytes();
        (bytes, side)
    }
}

#[test]
fn evidence_answers_a_challenge_and_passes() {
    let bed = Bed::running();
    let auditor = Auditor::enrol(&bed);
    let mut agent = Agent::settled(&bed);
    bed.add_workflow("greet", "requeue");
    let job = bed.run_job("greet");
    let lease = agent.lease();
    agent.file(lease.job(), "out/result.txt", b"hello");
    agent.end(lease.job(), JobEnd::Succeeded);
    let (challenge, secret) = auditor.challenge();
    let asked = bed.path("challenge");
    std::fs::write(&asked, &challenge).unwrap();
    let out = bed.path("evidence");
    let said = bed.casemate(&[
        "evidence",
        "--challenge",
        asked.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(said.exit, 0, "{said:?}");
    let evidence = std::fs::read(&out).unwrap();
    let export = bed.path("export");
    assert_eq!(
        bed.casemate(&["audit", "export", "--out", export.to_str().unwrap()])
            .exit,
        0
    );
    let export = std::fs::read(export).unwrap();
    let release_key = boot::release_key();
    let inputs = Inputs {
        evidence: &evidence,
        enrolment: &auditor.enrolment,
        owner_key: &auditor.owner.verifying_key(),
        release_key: release_key.verifying_key(),
        challenge: Some(&challenge),
        secret: Some(&secret),
        export: Some(&export),
        now_ms: auditor.now_ms + 1000,
        accept_development: true,
    };
    let verdict = verify(&inputs).unwrap();
    assert!(verdict.failures().is_empty(), "{}", verdict.text());
    assert!(
        verdict.line().starts_with("PASS (development root)"),
        "{}",
        verdict.text()
    );
    assert!(verdict.text().contains(&job), "{}", verdict.text());
    // Nothing else differs, and a development root is not accepted by itself.
    let strict = verify(&Inputs {
        accept_development: false,
        ..inputs
    })
    .unwrap();
    assert!(!strict.failures().is_empty(), "{}", strict.text());
    // The evidence is in the log that it vouches for.
    let entries = bed.json(&["audit", "list"]);
    let entries = entries.as_array().unwrap();
    let at = |kind: &str| {
        entries
            .iter()
            .rposition(|entry| entry["kind"] == kind)
            .unwrap()
    };
    assert!(at("evidence") < at("checkpoint"));
}

#[test]
fn a_challenge_for_another_appliance_is_refused() {
    let (bed, other) = (Bed::running(), Bed::running());
    let (challenge, _) = Auditor::enrol(&other).challenge();
    let asked = bed.path("challenge");
    std::fs::write(&asked, challenge).unwrap();
    let out = bed.path("evidence");
    let said = bed.casemate(&[
        "evidence",
        "--challenge",
        asked.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(said.exit, 2, "{said:?}");
    assert!(said.err.contains("code evidence.challenge;"), "{said:?}");
    assert!(!out.exists());
}
