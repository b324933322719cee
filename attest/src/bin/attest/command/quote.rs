//! `attest quote`.

use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::code;
use casemate_attest::messages::Language;
use casemate_attest::quote::claim::MAX_CLAIM;
use casemate_attest::quote::single::{Examination, Inputs};
use casemate_attest::verdict::Decision;
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::file;

/// The most bytes of a TPM structure or a key file.
const MAX_STRUCTURE: usize = 16 * 1024;
/// The most bytes of a nonce: what a `TPM2B_DATA` holds.
const MAX_NONCE: usize = 66;

#[derive(Debug, Args)]
#[command(
    override_usage = "attest quote [OPTIONS] --attest <FILE> --signature <FILE> --key <FILE>",
    after_help = AFTER_HELP
)]
pub(crate) struct Quote {
    /// What was signed, TPMS_ATTEST
    #[arg(long, value_name = "FILE")]
    attest: PathBuf,
    /// The signature, TPMT_SIGNATURE
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    /// The key: TPM2B_PUBLIC or TPMT_PUBLIC; or PEM, which does not say what
    /// the key may sign, so that the verdict is CONDITIONAL at best
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The nonce that the quote must be made for
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// The register values that the quote must be over, JSON:
    /// {"sha256":{"7":"hexadecimal"}}
    #[arg(long, value_name = "FILE")]
    pcrs: Option<PathBuf>,
    /// Write the judgement as JSON
    #[arg(long)]
    json: bool,
    /// The language: en or fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Language,
}

const AFTER_HELP: &str = "\
The files are those of tpm2-tools:
  tpm2_readpublic -c AK -f tss -o KEY
  tpm2_quote -c AK -l sha256:0,7 -q NONCE -m ATTEST -s SIGNATURE
Exit codes: 0 accepted, 1 rejected or conditional, 2 malformed.";

impl Quote {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let language = self.lang;
        self.judge().map_err(|failure| failure.spoken(language))
    }

    fn judge(&self) -> Result<ExitCode, Failure> {
        let (attest, signature, key) = (
            file::read(&self.attest, MAX_STRUCTURE)?,
            file::read(&self.signature, MAX_STRUCTURE)?,
            file::read(&self.key, MAX_STRUCTURE)?,
        );
        let registers = self.pcrs.as_deref();
        let registers = registers
            .map(|path| file::read(path, MAX_CLAIM))
            .transpose()?;
        let nonce = self.nonce.as_deref().map(nonce).transpose()?;
        let examination = Examination::of(&Inputs {
            attest: &attest,
            signature: &signature,
            key: &key,
            nonce: nonce.as_deref(),
            registers: registers.as_deref(),
        })
        .map_err(|error| {
            let what = format!("cannot judge {}", self.attest.display());
            Failure::new(Exit::Malformed, error.code(), what, error)
        })?;
        file::say(&if self.json {
            format!("{:#}\n", examination.json_in(self.lang))
        } else {
            examination.text_in(self.lang)
        })?;
        Ok(match examination.decision() {
            Decision::Pass => ExitCode::SUCCESS,
            Decision::Conditional | Decision::Fail => Exit::Failed.code(),
        })
    }
}

fn nonce(digits: &str) -> Result<Vec<u8>, Failure> {
    let bytes = hex::decode(digits)
        .ok()
        .filter(|bytes| bytes.len() <= MAX_NONCE);
    bytes.ok_or_else(|| {
        let why = "not hexadecimal of at most 66 bytes";
        let code = &code::NONCE_MALFORMED;
        Failure::new(Exit::Malformed, code, "cannot read the nonce", why)
    })
}
