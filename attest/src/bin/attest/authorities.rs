//! The authorities that the user chose, out of their files.

use std::path::PathBuf;

use casemate_attest::x509::{Authorities, ChainError, MAX_FILE};
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::file;

#[derive(Debug, Args)]
pub(crate) struct Given {
    /// An authority that may vouch for a TPM, PEM or DER, several in a file;
    /// may be given several times
    #[arg(long, value_name = "FILE")]
    ek_root: Vec<PathBuf>,
    /// Certificates between it and the TPM's, worth what the root says of them
    #[arg(long, value_name = "FILE", requires = "ek_root")]
    ek_intermediate: Vec<PathBuf>,
}

impl Given {
    pub(crate) fn read(&self) -> Result<Authorities, Failure> {
        let mut authorities = Authorities::default();
        for path in &self.ek_root {
            let added = authorities.add_roots(&file::read(path, MAX_FILE)?);
            added.map_err(|error| failure(path, &error))?;
        }
        for path in &self.ek_intermediate {
            let added = authorities.add_intermediates(&file::read(path, MAX_FILE)?);
            added.map_err(|error| failure(path, &error))?;
        }
        Ok(authorities)
    }
}

fn failure(path: &std::path::Path, error: &ChainError) -> Failure {
    let what = format!("cannot read the certificates in {}", path.display());
    Failure::new(Exit::Malformed, error.code(), what, error)
}
