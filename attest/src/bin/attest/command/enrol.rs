//! `attest enrol`.

use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::code;
use casemate_attest::enrolment::{Enrolment, EnrolmentRequest, MAX_REQUEST, Root};
use casemate_attest::report::printable;
use casemate_attest::x509::VerifiedCertificate;
use clap::{Args, ValueEnum};

use super::now_ms;
use crate::failure::{Exit, Failure};
use crate::{authorities, file, key};

/// What stands behind the TPM, as the owner knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KnownRoot {
    Development,
    FirstUse,
    SwtpmCa,
    Hardware,
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
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
    /// What stands behind the TPM; the last two take --ek-root
    #[arg(
        long,
        value_name = "ROOT",
        default_value = "first-use",
        hide_possible_values = true
    )]
    root: KnownRoot,
    #[command(flatten)]
    authorities: authorities::Given,
    /// The owner's name for the appliance
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Where the enrolment record goes, never overwritten; in a folder it is
    /// named for the endorsement key: <ID>.enrolment
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
}

const AFTER_HELP: &str = "\
Roots: development (a software TPM of a trial), first-use (what the owner sees
now, without a certificate), swtpm-ca (a software TPM with a certificate by its
host), hardware (a TPM with a certificate by its maker).";

impl Enrol {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let what = || format!("cannot enrol {}", self.request.display());
        let bytes = file::read(&self.request, MAX_REQUEST)?;
        let request = EnrolmentRequest::from_bytes(&bytes)
            .map_err(|error| Failure::new(Exit::Malformed, error.code(), what(), error))?;
        request
            .check_keys()
            .map_err(|error| Failure::new(Exit::Failed, error.code(), what(), error))?;
        let now = now_ms();
        let (root, certificate) = self.root(&request, now)?;
        let out = self.record(&request)?;
        let owner = if self.create_owner_key {
            key::create_owner(&self.owner_key)?
        } else {
            key::owner(&self.owner_key)?
        };
        let record = Enrolment::sign(&request, root, &self.label, now, &owner);
        file::write_new(&out, &record, false)?;
        let mut said = format!("enrolled {} ({})\n", request.id(), root.words());
        if let Some(certificate) = certificate {
            said.push_str(&certified(&certificate));
        }
        file::say(&said)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The root, checked when it is one that an authority stands for.
    fn root(
        &self,
        request: &EnrolmentRequest,
        now: u64,
    ) -> Result<(Root, Option<VerifiedCertificate>), Failure> {
        let what = || format!("cannot enrol {}", self.request.display());
        let root = match self.root {
            KnownRoot::Development => Root::Development,
            KnownRoot::FirstUse => Root::FirstUse,
            KnownRoot::SwtpmCa => Root::SwtpmCa,
            KnownRoot::Hardware => Root::HardwareEk,
        };
        let authorities = self.authorities.read()?;
        if root.is_certified() == authorities.is_empty() {
            let why = if root.is_certified() {
                "this root takes --ek-root: who must have issued the certificate"
            } else {
                "--ek-root is for --root swtpm-ca and --root hardware: say which it is"
            };
            return Err(Failure::new(
                Exit::Malformed,
                &code::USAGE_ROOT,
                what(),
                why,
            ));
        }
        if !root.is_certified() {
            return Ok((root, None));
        }
        let found = root.check(request, &authorities, now).map_err(|error| {
            let exit = if error.is_malformed() {
                Exit::Malformed
            } else {
                Exit::Failed
            };
            Failure::new(exit, error.code(), what(), error)
        })?;
        Ok((root, Some(found)))
    }

    /// Where the record goes. A folder holds one record for each endorsement key, for good.
    fn record(&self, request: &EnrolmentRequest) -> Result<PathBuf, Failure> {
        if !self.out.is_dir() {
            return Ok(self.out.clone());
        }
        let record = self.out.join(format!("{}.enrolment", request.id()));
        if record.exists() {
            let what = format!("cannot enrol {}", self.request.display());
            let why = format!("{} is there", record.display());
            return Err(Failure::new(
                Exit::Failed,
                &code::ENROLMENT_KNOWN,
                what,
                why,
            ));
        }
        Ok(record)
    }
}

/// What a certificate says, and who vouches for it.
fn certified(certificate: &VerifiedCertificate) -> String {
    let mut said = String::new();
    let mut line = |name: &str, value: &str| {
        said.push_str(&format!("  {name:<9}{}\n", printable(value)));
    };
    if let Some(model) = certificate.model() {
        line("TPM", &model.to_string());
    }
    for authority in certificate.path() {
        line("by", authority);
    }
    line("root", certificate.root());
    if certificate.has_expired() {
        line("note", code::CERTIFICATE_EXPIRED.what);
    }
    said
}
