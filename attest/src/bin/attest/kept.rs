//! What the auditor kept besides keys: releases, a revocation list, logs of enrolment.

use std::path::{Path, PathBuf};

use casemate_attest::code;
use casemate_attest::eventlog::MAX_LOG;
use casemate_attest::release::MAX_RELEASE;
use casemate_attest::revocations::MAX_REVOCATIONS;
use casemate_attest::verify::Verifier;
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::file;

#[derive(Debug, Args)]
pub(crate) struct Kept {
    /// The owner's list of what is revoked
    #[arg(long, value_name = "FILE")]
    revoked: Option<PathBuf>,
    /// Signed release manifests: on a mismatch the one that does match is named
    #[arg(long, value_name = "DIR")]
    releases: Option<PathBuf>,
    /// The firmware log of the enrolment: says what changed since
    #[arg(long, value_name = "FILE")]
    enrolled_log: Option<PathBuf>,
}

impl Kept {
    /// Gives it all to a verifier that knows its enrolments.
    pub(crate) fn give(&self, verifier: &mut Verifier<'_>) -> Result<(), Failure> {
        if let Some(path) = &self.revoked {
            let list = file::read(path, MAX_REVOCATIONS)?;
            verifier.revoke(&list).map_err(|error| {
                let exit = match error.is_malformed() {
                    true => Exit::Malformed,
                    false => Exit::Failed,
                };
                Failure::new(exit, error.code(), cannot_use(path), error)
            })?;
        }
        let releases = self.releases.as_deref();
        let releases = releases.map(|folder| file::below(folder, false));
        for path in releases.transpose()?.unwrap_or_default() {
            let manifest = file::read(&path, MAX_RELEASE)?;
            verifier.ship(&manifest).map_err(|error| {
                Failure::new(Exit::Failed, error.code(), cannot_use(&path), error)
            })?;
        }
        if let Some(path) = &self.enrolled_log {
            let log = file::read(path, MAX_LOG)?;
            let named = verifier.keep_log(log).map_err(|error| {
                Failure::new(Exit::Malformed, error.code(), cannot_use(path), error)
            })?;
            if !named {
                let why = "no enrolment record names it";
                return Err(Failure::new(
                    Exit::Failed,
                    &code::PLATFORM_LOG,
                    cannot_use(path),
                    why,
                ));
            }
        }
        Ok(())
    }
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use {}", path.display())
}
