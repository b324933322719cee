//! `casemate workflow`.

use std::path::Path;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;

use super::args::Workflow;
use super::client::segment;
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, folder, text};
use crate::api::view::{CheckView, WorkflowView};

pub(super) fn run(desk: &mut Desk<'_>, command: Workflow) -> Result<Exit, Failure> {
    match command {
        Workflow::Check { folder } => check(desk, &folder),
        Workflow::Add { folder } => add(desk, &folder),
        Workflow::List => list(desk),
        Workflow::Show { name } => show(desk, &name),
    }
}

fn check(desk: &mut Desk<'_>, path: &Path) -> Result<Exit, Failure> {
    let what = "checking the workflow";
    let bundle = folder::read(what, path)?;
    let answer = desk
        .client
        .post_bytes(what, "/v1/workflows/check", codec::encode(&bundle))?;
    let view: CheckView = super::client::parse(what, &answer)?;
    if desk.json {
        text::json(desk.out, &view)?;
    } else if view.diagnoses.is_empty() {
        writeln!(desk.out, "workflow {} is fine", text::clean(&view.name))?;
    }
    if view.diagnoses.is_empty() {
        return Ok(Exit::Done);
    }
    if !desk.json {
        for fault in &view.diagnoses {
            let place = match (fault.line, fault.column) {
                (0, _) => fault.file.clone(),
                (line, 0) => format!("{}:{line}", fault.file),
                (line, column) => format!("{}:{line}:{column}", fault.file),
            };
            writeln!(
                desk.out,
                "{}: {}",
                text::clean(&place),
                text::clean(&fault.message)
            )?;
        }
    }
    Ok(Exit::Negative)
}

fn add(desk: &mut Desk<'_>, path: &Path) -> Result<Exit, Failure> {
    let what = "adding the workflow";
    let bundle: Bundle = folder::read(what, path)?;
    let answer = desk
        .client
        .post_bytes(what, "/v1/workflows", codec::encode(&bundle))?;
    let view: WorkflowView = super::client::parse(what, &answer)?;
    if desk.json {
        text::json(desk.out, &view)?;
    } else {
        writeln!(desk.out, "workflow {} added", text::clean(&view.name))?;
        text::pairs(desk.out, &[("bundle", view.digest)])?;
    }
    Ok(Exit::Done)
}

fn list(desk: &mut Desk<'_>) -> Result<Exit, Failure> {
    let views: Vec<WorkflowView> = desk.client.get("listing the workflows", "/v1/workflows")?;
    if desk.json {
        text::json(desk.out, &views)?;
        return Ok(Exit::Done);
    }
    let mut table = text::Table::new(&["NAME", "ADDED", "SUMMARY"]);
    for view in views {
        table.row(vec![view.name, text::time(view.added), view.summary]);
    }
    table.write(desk.out, "no workflows")?;
    Ok(Exit::Done)
}

fn show(desk: &mut Desk<'_>, name: &str) -> Result<Exit, Failure> {
    let path = format!("/v1/workflows/{}", segment(name));
    let view: WorkflowView = desk.client.get("showing the workflow", &path)?;
    if desk.json {
        text::json(desk.out, &view)?;
        return Ok(Exit::Done);
    }
    let mut pairs = vec![
        ("name", view.name),
        ("summary", view.summary),
        ("bundle", view.digest),
        (
            "added",
            format!("{} by {}", text::time(view.added), view.by),
        ),
        ("may", view.verbs.join(" ")),
        ("applications", view.applications.join(" ")),
        ("outputs", view.outputs.join(" ")),
        (
            "limits",
            format!("{} s, {} steps", view.seconds, view.steps),
        ),
        ("when cut off", view.on_interrupt),
    ];
    for (name, value) in view.parameters {
        pairs.push(("parameter", format!("{name} = {value}")));
    }
    for (path, length) in view.files {
        pairs.push(("file", format!("{path}, {}", text::size(length))));
    }
    text::pairs(desk.out, &pairs)?;
    Ok(Exit::Done)
}
