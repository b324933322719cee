//! `casemate artifact`.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::args::{Artifact, Kind};
use super::client::segment;
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, text};
use crate::api::view::ArtifactView;

pub(super) fn run(desk: &mut Desk<'_>, command: Artifact) -> Result<Exit, Failure> {
    match command {
        Artifact::List { job, kind } => list(desk, &job, kind),
        Artifact::Get { artifact, out } => get(desk, &artifact, &out),
    }
}

fn list(desk: &mut Desk<'_>, job: &str, kind: Option<Kind>) -> Result<Exit, Failure> {
    let job = super::job::full_id(desk, "listing the artifacts", job)?;
    let mut views = of_job(desk, &job)?;
    if let Some(kind) = kind {
        views.retain(|view| view.kind == kind.word());
    }
    if desk.json {
        text::json(desk.out, &views)?;
        return Ok(Exit::Done);
    }
    let mut table = text::Table::new(&["ID", "KIND", "SIZE", "NAME"]);
    for view in views {
        table.row(vec![
            view.artifact,
            view.kind,
            text::size(view.size),
            view.name,
        ]);
    }
    table.write(desk.out, "no artifacts")?;
    Ok(Exit::Done)
}

/// The artifacts of a job by its full id.
pub(super) fn of_job(desk: &Desk<'_>, job: &str) -> Result<Vec<ArtifactView>, Failure> {
    desk.client
        .get("listing the artifacts", &format!("/v1/artifacts?job={job}"))
}

fn get(desk: &mut Desk<'_>, artifact: &str, out: &Path) -> Result<Exit, Failure> {
    let size = fetch(desk, artifact, out)?;
    if desk.json {
        text::json(
            desk.out,
            &serde_json::json!({ "file": out.display().to_string(), "size": size }),
        )?;
    } else {
        writeln!(
            desk.out,
            "{}, {}",
            text::clean(&out.display().to_string()),
            text::size(size)
        )?;
    }
    Ok(Exit::Done)
}

/// Fetches an artifact into a new file; a file that came only in part is removed.
pub(super) fn fetch(desk: &Desk<'_>, artifact: &str, out: &Path) -> Result<u64, Failure> {
    let what = format!("fetching artifact {artifact} into {}", out.display());
    let mut file = create(&what, out)?;
    let path = format!("/v1/artifacts/{}", segment(artifact));
    desk.client
        .get_file(&what, &path, &mut file)
        .inspect_err(|_| {
            // The failure that is reported is the fetch's.
            let _ = std::fs::remove_file(out);
        })
}

/// Makes a file that did not exist.
pub(super) fn create(what: &str, path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|e| Failure::file(what, &e))
}
