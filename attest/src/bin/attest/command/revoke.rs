//! `attest revoke`.

use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::digest::Digest;
use casemate_attest::revocations::{Entry, Kind, MAX_REVOCATIONS, Revocations};
use clap::Args;

use super::now_ms;
use crate::failure::{Exit, Failure};
use crate::{file, key};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Revoke {
    /// The owner's Ed25519 private key, PEM
    #[arg(long, value_name = "FILE")]
    owner_key: PathBuf,
    /// The list to go on from; its entries stay, its number grows by one
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// A release key, by its id
    #[arg(long, value_name = "SHA256")]
    release_key: Vec<Digest>,
    /// A release, by the digest of its signed manifest
    #[arg(long, value_name = "SHA256")]
    release: Vec<Digest>,
    /// An attestation key, by the digest of its TPM2B_PUBLIC
    #[arg(long, value_name = "SHA256")]
    attestation_key: Vec<Digest>,
    /// An authority of endorsement certificates, by the digest of its name
    #[arg(long, value_name = "SHA256")]
    endorsement_ca: Vec<Digest>,
    /// The lowest release number that may still run; without it that of --after
    #[arg(long, value_name = "NUMBER")]
    floor: Option<u64>,
    /// Why, in a few words
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Where the list goes, never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

const AFTER_HELP: &str = "\
Sign a list now and then even when nothing is new: a verdict says how old its
list is, and warns after 30 days.";

impl Revoke {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let owner = key::owner(&self.owner_key)?;
        let before = match &self.after {
            None => None,
            Some(path) => {
                let bytes = file::read(path, MAX_REVOCATIONS)?;
                let list = Revocations::verify(&bytes, &owner.verifying_key());
                let what = format!("cannot go on from {}", path.display());
                Some(list.map_err(|error| Failure::new(Exit::Failed, error.code(), what, error))?)
            }
        };
        let (number, floor, mut entries) = match before {
            None => (1, 0, Vec::new()),
            Some(list) => (list.number.saturating_add(1), list.floor, list.entries),
        };
        for (kind, values) in [
            (Kind::ReleaseKey, &self.release_key),
            (Kind::Release, &self.release),
            (Kind::AttestationKey, &self.attestation_key),
            (Kind::EndorsementCa, &self.endorsement_ca),
        ] {
            entries.extend(values.iter().map(|value| Entry {
                kind,
                value: *value,
                reason: self.reason.clone(),
            }));
        }
        let list = Revocations::new(number, now_ms(), self.floor.unwrap_or(floor), entries);
        let signed = list.sign(&owner).map_err(|error| {
            let what = "cannot sign the list";
            Failure::new(Exit::Malformed, error.code(), what, error)
        })?;
        file::write_new(&self.out, &signed, false)?;
        let count = list.entries.len();
        file::say(&format!(
            "list {number}: {count} entries, floor {}\n",
            list.floor
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
