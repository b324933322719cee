//! `attest enrol`.

use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::enrolment::{Enrolment, EnrolmentRequest, MAX_REQUEST, Root};
use clap::{Args, ValueEnum};

use super::now_ms;
use crate::failure::{Exit, Failure};
use crate::{file, key};

/// What stands behind the TPM, as the owner knows it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum KnownRoot {
    Development,
    FirstUse,
}

#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// The appliance's enrolment request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The owner's Ed25519 private key, PEM
    #[arg(long, value_name = "FILE")]
    owner_key: PathBuf,
    /// Make the owner's key first, with FILE.pub beside it
    #[arg(long)]
    create_owner_key: bool,
    /// What stands behind the TPM: development (a software TPM), or first-use
    /// (what the owner sees now, without a certificate)
    #[arg(
        long,
        value_name = "ROOT",
        default_value = "first-use",
        hide_possible_values = true
    )]
    root: KnownRoot,
    /// The owner's name for the appliance
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Where the enrolment record goes; never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Enrol {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let what = || format!("cannot enrol {}", self.request.display());
        let bytes = file::read(&self.request, MAX_REQUEST)?;
        let request = EnrolmentRequest::from_bytes(&bytes)
            .map_err(|error| Failure::new(Exit::Malformed, error.code(), what(), error))?;
        request
            .check_keys()
            .map_err(|error| Failure::new(Exit::Failed, error.code(), what(), error))?;
        let owner = if self.create_owner_key {
            key::create_owner(&self.owner_key)?
        } else {
            key::owner(&self.owner_key)?
        };
        let root = match self.root {
            KnownRoot::Development => Root::Development,
            KnownRoot::FirstUse => Root::FirstUse,
        };
        let record = Enrolment::sign(&request, root, &self.label, now_ms(), &owner);
        file::write_new(&self.out, &record, false)?;
        file::say(&format!("enrolled {} ({})\n", request.id(), root.words()))?;
        Ok(ExitCode::SUCCESS)
    }
}
