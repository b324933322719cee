//! `attest verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_attest::challenge::MAX_CHALLENGE;
use casemate_attest::code;
use casemate_attest::digest::Digest;
use casemate_attest::enrolment::MAX_ENROLMENT;
use casemate_attest::evidence::MAX_EVIDENCE;
use casemate_attest::export::{MAX_EXPORT, VerifiedExport};
use casemate_attest::ledger::Entry;
use casemate_attest::messages::Language;
use casemate_attest::report::{Ear, Page};
use casemate_attest::verdict::{Decision, Verdict};
use casemate_attest::verify::{Inputs, Verifier, VerifyError};
use clap::Args;

use super::{now_ms, verify_all};
use crate::failure::{Exit, Failure};
use crate::ledger_file::LedgerFile;
use crate::{authorities, file, kept, key};

#[derive(Debug, Args)]
#[command(
    override_usage = "attest verify [OPTIONS] --enrolment <PATH> --owner-key <FILE>\n                     --release-key <FILE> <EVIDENCE | --all <DIR>>"
)]
pub(crate) struct Verify {
    /// The evidence file
    #[arg(required_unless_present = "all")]
    evidence: Option<PathBuf>,
    /// Judge every file below a folder, one line each; links are not followed
    #[arg(long, value_name = "DIR", conflicts_with_all = ["evidence", "audit"])]
    all: Option<PathBuf>,
    /// The appliance's enrolment record, or a folder of records of which each
    /// evidence finds its own
    #[arg(long, value_name = "PATH")]
    enrolment: PathBuf,
    /// The owner's key, PEM: who signed the enrolment record
    #[arg(long, value_name = "FILE")]
    owner_key: PathBuf,
    /// The release key, PEM: who signs releases
    #[arg(long, value_name = "FILE")]
    release_key: PathBuf,
    #[command(flatten)]
    authorities: authorities::Given,
    /// The challenge that this answers, or a folder of challenges; without one,
    /// or without its FILE.secret beside it, the verdict is CONDITIONAL at best
    #[arg(long, value_name = "PATH")]
    challenge: Option<PathBuf>,
    /// An export of the audit log to hold against the evidence
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// The ledger of verdicts: what was judged before is held against this
    /// evidence, and the verdict is added; made when it is not there
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    kept: kept::Kept,
    /// Let a development release or TPM pass
    #[arg(long)]
    accept_development: bool,
    /// Write the verdict as JSON
    #[arg(long)]
    json: bool,
    /// Write the verdict as one HTML page to print and file
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    html: Option<PathBuf>,
    /// Write the verdict as an EAT Attestation Result (EAR), JSON
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    ear: Option<PathBuf>,
    /// Sign the EAR with this P-256 private key, PEM: it is then a JWT
    #[arg(long, value_name = "FILE", requires = "ear")]
    ear_key: Option<PathBuf>,
    /// The language: en or fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Language,
}

impl Verify {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let language = self.lang;
        self.judge().map_err(|failure| failure.spoken(language))
    }

    fn judge(&self) -> Result<ExitCode, Failure> {
        let (owner_key, release_key) = (
            key::ed25519_public(&self.owner_key)?,
            key::release(&self.release_key)?,
        );
        let export = self.audit.as_deref();
        let export = export
            .map(|path| file::read(path, MAX_EXPORT))
            .transpose()?;
        let authorities = self.authorities.read()?;
        let mut verifier = Verifier::unenrolled(Inputs {
            evidence: &[],
            enrolment: &[],
            owner_key: &owner_key,
            release_key: &release_key,
            challenge: None,
            secret: None,
            export: export.as_deref(),
            now_ms: now_ms(),
            accept_development: self.accept_development,
        });
        for record in files(&self.enrolment)? {
            let bytes = file::read(&record, MAX_ENROLMENT)?;
            let added = verifier.enrol(&bytes).map_err(VerifyError::from);
            added.map_err(|error| unjudged(&record, &error))?;
        }
        if !authorities.is_empty() {
            verifier.trust(&authorities);
        }
        let challenges = self.challenge.as_deref().map(files).transpose()?;
        for challenge in challenges
            .into_iter()
            .flatten()
            .filter(|path| !is_secret(path))
        {
            let secret = Some(beside(&challenge)).filter(|path| path.exists());
            let secret = secret
                .map(|path| file::read(&path, MAX_CHALLENGE))
                .transpose()?;
            let bytes = file::read(&challenge, MAX_CHALLENGE)?;
            let asked = verifier.ask(&bytes, secret.as_deref());
            asked.map_err(|error| unjudged(&challenge, &error))?;
        }
        self.kept.give(&mut verifier)?;
        let mut ledger = self.ledger.as_deref().map(LedgerFile::open).transpose()?;
        match (&self.all, &self.evidence) {
            (Some(folder), _) => {
                verifier.take_unasked();
                let style = verify_all::Style {
                    json: self.json,
                    language: self.lang,
                };
                verify_all::run(folder, &verifier, ledger.as_mut(), style)
            }
            (None, Some(evidence)) => {
                self.judge_one(evidence, &verifier, ledger.as_mut(), export.as_deref())
            }
            (None, None) => Ok(ExitCode::SUCCESS),
        }
    }

    fn judge_one(
        &self,
        path: &Path,
        verifier: &Verifier<'_>,
        ledger: Option<&mut LedgerFile>,
        export: Option<&[u8]>,
    ) -> Result<ExitCode, Failure> {
        let evidence = file::read(path, MAX_EVIDENCE)?;
        let mut judged = verifier.judge(&evidence);
        if let Some(ledger) = ledger {
            let entry = entry(&judged, &evidence, verifier);
            let leaves = export.and_then(leaves);
            judged = judged.map(|verdict| ledger.compare(verdict, &entry, leaves.as_deref()));
            ledger.push(entry, judged.as_ref().ok());
            // Nothing is shown that is not on the disk.
            ledger.flush()?;
        }
        let verdict = judged.map_err(|error| unjudged(path, &error))?;
        let text = if self.json {
            format!("{:#}\n", verdict.json_in(self.lang))
        } else {
            verdict.text_in(self.lang)
        };
        self.write(&verdict, &evidence, verifier.now_ms())?;
        file::say(&text)?;
        Ok(match verdict.decision() {
            Decision::Pass => ExitCode::SUCCESS,
            Decision::Conditional | Decision::Fail => Exit::Failed.code(),
        })
    }
}

impl Verify {
    /// The verdict in the files that were asked for.
    fn write(&self, verdict: &Verdict, file: &[u8], judged_ms: u64) -> Result<(), Failure> {
        if let Some(path) = &self.html {
            let page = Page {
                verdict,
                file,
                judged_ms,
                language: self.lang,
            };
            file::write_new(path, page.html().as_bytes(), false)?;
        }
        let Some(path) = &self.ear else {
            return Ok(());
        };
        let ear = Ear::of(verdict, judged_ms);
        let text = match self.ear_key.as_deref().map(key::p256_private).transpose()? {
            None => format!("{:#}\n", ear.claims()),
            Some(key) => ear.signed(&key).map_err(|why| {
                let what = "cannot sign the EAR";
                Failure::new(Exit::Internal, &code::KEY_MALFORMED, what, why)
            })?,
        };
        file::write_new(path, text.as_bytes(), false)
    }
}

/// What is to be recorded of a judgement, before the ledger itself was asked.
pub(super) fn entry(
    judged: &Result<Verdict, VerifyError>,
    evidence: &[u8],
    verifier: &Verifier<'_>,
) -> Entry {
    let now = verifier.now_ms();
    match judged {
        Ok(verdict) => Entry::of(verdict, evidence, now),
        Err(error) => {
            let enrolment = verifier.only_enrolment().map(|enrolment| *enrolment.id());
            Entry::unjudged(evidence, now, enrolment, error.code().id)
        }
    }
}

/// The leaves of an export that holds; one that does not is the verdict's to say.
fn leaves(export: &[u8]) -> Option<Vec<Digest>> {
    let export = VerifiedExport::read(export, None).ok()?;
    Some(export.hashes)
}

pub(super) fn unjudged(path: &Path, error: &VerifyError) -> Failure {
    let exit = if error.is_malformed() {
        Exit::Malformed
    } else {
        Exit::Failed
    };
    let what = format!("cannot judge {}", file::name(path));
    Failure::new(exit, error.code(), what, error)
}

/// The file itself, or the files of a folder.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_dir() {
        file::below(path, false)
    } else {
        Ok(vec![path.to_owned()])
    }
}

const SECRET: &str = ".secret";

/// The side file of a challenge.
fn beside(challenge: &Path) -> PathBuf {
    let mut name = challenge.as_os_str().to_owned();
    name.push(SECRET);
    name.into()
}

fn is_secret(path: &Path) -> bool {
    path.to_string_lossy().ends_with(SECRET)
}
