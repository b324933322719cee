//! `casemate evidence` and `casemate enrolment`: files for an auditor.

use std::io::Write as _;
use std::path::Path;

use super::args::{Evidence, OutFile};
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, artifact, text};

pub(super) fn evidence(desk: &mut Desk<'_>, command: &Evidence) -> Result<Exit, Failure> {
    let what = "getting evidence";
    let challenge = match &command.challenge {
        None => Vec::new(),
        Some(path) => std::fs::read(path)
            .map_err(|e| Failure::file(format!("reading the challenge {}", path.display()), &e))?,
    };
    let path = match &command.job {
        None => "/v1/evidence".to_owned(),
        Some(job) => format!("/v1/evidence?job={}", super::job::full_id(desk, what, job)?),
    };
    let bytes = desk.client.post_bytes(what, &path, challenge)?;
    save(desk, &command.out, &bytes)
}

pub(super) fn enrolment(desk: &mut Desk<'_>, command: &OutFile) -> Result<Exit, Failure> {
    let bytes = desk
        .client
        .get_bytes("getting the enrolment request", "/v1/enrolment")?;
    save(desk, &command.out, &bytes)
}

/// Saves an answer in a new file and says so.
pub(super) fn save(desk: &mut Desk<'_>, path: &Path, bytes: &[u8]) -> Result<Exit, Failure> {
    let what = format!("writing {}", path.display());
    artifact::create(&what, path)?
        .write_all(bytes)
        .map_err(|e| Failure::file(&what, &e))?;
    let name = path.display().to_string();
    if desk.json {
        text::json(
            desk.out,
            &serde_json::json!({ "file": name, "size": bytes.len() }),
        )?;
    } else {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        writeln!(desk.out, "{}, {}", text::clean(&name), text::size(size))?;
    }
    Ok(Exit::Done)
}
