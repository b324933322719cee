//! `casemate status`.

use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, text};
use crate::api::view::Status;

pub(super) fn run(desk: &mut Desk<'_>) -> Result<Exit, Failure> {
    let status: Status = desk.client.get("reading the status", "/v1/status")?;
    if desk.json {
        text::json(desk.out, &status)?;
        return Ok(Exit::Done);
    }
    let jobs: Vec<String> = status
        .jobs
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let agent = status.agent.as_ref().map_or_else(
        || "not connected".to_owned(),
        |agent| format!("connected, {} of {} slots busy", agent.busy, agent.slots),
    );
    let root = if status.development { "development" } else { "release" };
    let mut pairs = vec![
        ("version", status.version.clone()),
        ("root of trust", root.to_owned()),
        ("running since", text::time(status.started)),
        (
            "halted",
            status.halted.as_ref().map_or_else(|| "no".to_owned(), |by| format!("yes, by {by}")),
        ),
        ("agent", agent),
    ];
    for pack in status.agent.iter().flat_map(|agent| &agent.packs) {
        let root = text::fit(&pack.root, 16);
        pairs.push(("pack", format!("{} {root} {}", pack.name, pack.applications.join(" "))));
    }
    pairs.extend([
        ("jobs", if jobs.is_empty() { "none".to_owned() } else { jobs.join(", ") }),
        (
            "audit",
            format!("{} entries, {} cosigned by the TPM", status.audit.size, status.audit.cosigned),
        ),
        ("audit root", status.audit.root.clone()),
        (
            "TPM",
            format!(
                "clock {}, {} resets, {} restarts, counter {}",
                text::seconds(status.tpm.clock_ms),
                status.tpm.resets,
                status.tpm.restarts,
                status.tpm.counter
            ),
        ),
    ]);
    text::pairs(desk.out, &pairs)?;
    Ok(Exit::Done)
}
