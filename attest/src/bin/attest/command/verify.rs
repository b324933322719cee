//! `attest verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_attest::challenge::MAX_CHALLENGE;
use casemate_attest::enrolment::MAX_ENROLMENT;
use casemate_attest::evidence::MAX_EVIDENCE;
use casemate_attest::export::MAX_EXPORT;
use casemate_attest::messages::Language;
use casemate_attest::verdict::Decision;
use casemate_attest::verify::{Inputs, verify};
use clap::Args;

use super::now_ms;
use crate::failure::{Exit, Failure};
use crate::{file, key};

#[derive(Debug, Args)]
#[command(
    override_usage = "attest verify [OPTIONS] --enrolment <FILE> --owner-key <FILE>\n                     --release-key <FILE> <EVIDENCE>"
)]
pub(crate) struct Verify {
    /// The evidence file
    evidence: PathBuf,
    /// The appliance's enrolment record
    #[arg(long, value_name = "FILE")]
    enrolment: PathBuf,
    /// The owner's key, PEM: who signed the enrolment record
    #[arg(long, value_name = "FILE")]
    owner_key: PathBuf,
    /// The release key, PEM: who signs releases
    #[arg(long, value_name = "FILE")]
    release_key: PathBuf,
    /// The challenge that this answers; without one, or without its FILE.secret
    /// beside it, the verdict is CONDITIONAL at best
    #[arg(long, value_name = "FILE")]
    challenge: Option<PathBuf>,
    /// An export of the audit log to hold against the evidence
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Let a development release or TPM pass
    #[arg(long)]
    accept_development: bool,
    /// Write the verdict as JSON
    #[arg(long)]
    json: bool,
    /// The language: en or fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Language,
}

impl Verify {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let evidence = file::read(&self.evidence, MAX_EVIDENCE)?;
        let enrolment = file::read(&self.enrolment, MAX_ENROLMENT)?;
        let (owner_key, release_key) = (
            key::ed25519_public(&self.owner_key)?,
            key::release(&self.release_key)?,
        );
        let optional =
            |path: Option<&Path>, max| path.map(|path| file::read(path, max)).transpose();
        let challenge = optional(self.challenge.as_deref(), MAX_CHALLENGE)?;
        let secret = self
            .challenge
            .as_deref()
            .map(beside)
            .filter(|path| path.exists());
        let secret = optional(secret.as_deref(), MAX_CHALLENGE)?;
        let export = optional(self.audit.as_deref(), MAX_EXPORT)?;
        let verdict = verify(&Inputs {
            evidence: &evidence,
            enrolment: &enrolment,
            owner_key: &owner_key,
            release_key: &release_key,
            challenge: challenge.as_deref(),
            secret: secret.as_deref(),
            export: export.as_deref(),
            now_ms: now_ms(),
            accept_development: self.accept_development,
        })
        .map_err(|error| {
            let exit = if error.is_malformed() {
                Exit::Malformed
            } else {
                Exit::Failed
            };
            let what = format!("cannot judge {}", self.evidence.display());
            Failure::new(exit, error.code(), what, error)
        })?;
        let text = if self.json {
            format!("{:#}\n", verdict.json_in(self.lang))
        } else {
            verdict.text_in(self.lang)
        };
        file::say(&text)?;
        Ok(match verdict.decision() {
            Decision::Pass => ExitCode::SUCCESS,
            Decision::Conditional | Decision::Fail => Exit::Failed.code(),
        })
    }
}

/// The side file of a challenge.
fn beside(challenge: &Path) -> PathBuf {
    let mut name = challenge.as_os_str().to_owned();
    name.push(".secret");
    name.into()
}
