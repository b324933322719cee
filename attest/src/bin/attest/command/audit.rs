//! `attest audit`.

use std::path::PathBuf;
use std::process::ExitCode;

use casemate_attest::checkpoint::{Checkpoint, MAX_NOTE};
use casemate_attest::export::{ExportError, MAX_EXPORT, VerifiedExport};
use casemate_attest::{code, merkle};
use clap::Args;
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::{file, key};

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The export of the audit log
    export: PathBuf,
    /// A checkpoint seen before, as a signed note: the log must extend it
    #[arg(long, value_name = "NOTE")]
    checkpoint: Option<PathBuf>,
    /// The log's key, as a PEM file or as 64 hexadecimal digits; without it the
    /// export only agrees with itself
    #[arg(long, value_name = "KEY")]
    key: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let what = || format!("the audit export {} does not hold", self.export.display());
        let trusted = self.key.as_deref().map(key::log).transpose()?;
        let bytes = file::read(&self.export, MAX_EXPORT)?;
        let export =
            VerifiedExport::read(&bytes, trusted.as_ref()).map_err(|error: ExportError| {
                Failure::new(Exit::Failed, error.code(), what(), error)
            })?;
        if let Some(path) = &self.checkpoint {
            let note = file::read(path, MAX_NOTE)?;
            let origin = &export.checkpoint.origin;
            let seen = Checkpoint::verify(&note, &export.key, Some(origin))
                .map_err(|error| Failure::new(Exit::Failed, error.code(), what(), error))?;
            extends(&export, &seen)
                .map_err(|why| Failure::new(Exit::Failed, &code::AUDIT_FORK, what(), why))?;
        }
        file::say(&self.report(&export, trusted.is_some()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, export: &VerifiedExport, trusted: bool) -> String {
        let Checkpoint { origin, size, root } = &export.checkpoint;
        let key = hex::encode(export.key.as_bytes());
        if self.json {
            let value = json!({
                "origin": origin.as_str(), "entries": size, "root": root.to_string(),
                "key": key, "key_trusted": trusted,
            });
            return format!("{value:#}\n");
        }
        let whose = if trusted {
            "the key given"
        } else {
            "its own key, which nothing vouches for"
        };
        format!(
            "the audit export holds: {size} entries of {origin}\n  \
             root {root}\n  signed by {whose}\n  key  {key}\n"
        )
    }
}

/// The export's first entries must be those of the checkpoint seen before.
fn extends(export: &VerifiedExport, seen: &Checkpoint) -> Result<(), String> {
    let size = usize::try_from(seen.size).unwrap_or(usize::MAX);
    let Some(first) = export.hashes.get(..size) else {
        let found = export.hashes.len();
        return Err(format!(
            "it has {found} entries, the checkpoint seen before {size}"
        ));
    };
    let root = merkle::root(first);
    if root == seen.root {
        return Ok(());
    }
    Err(format!(
        "its first {size} entries have the root {root}, seen before was {}",
        seen.root
    ))
}
