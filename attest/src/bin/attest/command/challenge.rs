//! `attest challenge`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_attest::challenge::{Challenge, ChallengeSecret};
use casemate_attest::credential;
use casemate_attest::enrolment::{Enrolment, MAX_ENROLMENT};
use casemate_attest::tpm::public::Public;
use casemate_attest::{code, enrolment};
use clap::Args;

use super::now_ms;
use crate::failure::{Exit, Failure};
use crate::{file, key};

const HOUR_MS: u64 = 3_600_000;

#[derive(Debug, Args)]
pub(crate) struct MakeChallenge {
    /// The enrolment record of the appliance that is to answer: with it the
    /// answer proves that its keys are of one TPM
    #[arg(long, value_name = "FILE", requires = "owner_key")]
    enrolment: Option<PathBuf>,
    /// The owner's key, PEM
    #[arg(long, value_name = "FILE")]
    owner_key: Option<PathBuf>,
    /// Who asks, or why; for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// How long an answer is good
    #[arg(long, value_name = "HOURS", default_value_t = 24,
          value_parser = clap::value_parser!(u64).range(1..=8760))]
    hours: u64,
    /// Where the challenge goes; its secret goes to FILE.secret and stays here
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl MakeChallenge {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let now = now_ms();
        let expires = now.saturating_add(self.hours.saturating_mul(HOUR_MS));
        let mut challenge = Challenge::new(key::random()?, &self.label, now, expires);
        let secret = match (&self.enrolment, &self.owner_key) {
            (Some(record), Some(owner)) => Some(add_credential(&mut challenge, record, owner)?),
            _ => None,
        };
        let bytes = challenge.to_bytes();
        // Read back what was made: a label too long is told now, not by the appliance.
        Challenge::from_bytes(&bytes).map_err(|error| {
            Failure::new(
                Exit::Malformed,
                error.code(),
                "cannot make the challenge",
                error,
            )
        })?;
        if let Some(secret) = secret {
            let mut beside = self.out.as_os_str().to_owned();
            beside.push(".secret");
            let side = ChallengeSecret::new(&bytes, secret).to_bytes();
            file::write_new(Path::new(&beside), &side, true)?;
        }
        file::write_new(&self.out, &bytes, false)?;
        file::say(&format!("challenge {}\n", hex::encode(challenge.nonce)))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn add_credential(
    challenge: &mut Challenge,
    record: &Path,
    owner: &Path,
) -> Result<[u8; 32], Failure> {
    let what = || format!("cannot make a credential for {}", record.display());
    let owner = key::ed25519_public(owner)?;
    let record = Enrolment::verify(&file::read(record, MAX_ENROLMENT)?, &owner).map_err(
        |error: enrolment::EnrolmentError| {
            let exit = if error.is_malformed() {
                Exit::Malformed
            } else {
                Exit::Failed
            };
            Failure::new(exit, error.code(), what(), error)
        },
    )?;
    let request = record.request();
    let name = Public::from_sized(&request.ak_public)
        .map_err(|error| Failure::new(Exit::Malformed, &code::AK_MALFORMED, what(), error))?;
    let secret = key::random()?;
    let made = credential::make(&request.ek_public, name.name(), &secret, &key::random()?)
        .map_err(|error| Failure::new(Exit::Malformed, &code::CREDENTIAL_EK, what(), error))?;
    challenge.enrolment = *record.id();
    challenge.credential = made.id_object;
    challenge.encrypted_secret = made.encrypted_secret;
    Ok(secret)
}
