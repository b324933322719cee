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
    text::pairs(desk.out, &pairs(&status))?;
    Ok(Exit::Done)
}

fn pairs(status: &Status) -> Vec<(&'static str, String)> {
    let root = match status.development {
        true => "development",
        false => "release",
    };
    let halted = match &status.halted {
        Some(by) => format!("yes, by {by}"),
        None => "no".to_owned(),
    };
    let agent = match &status.agent {
        Some(agent) => format!("connected, {} of {} slots busy", agent.busy, agent.slots),
        None => "not connected".to_owned(),
    };
    let mut pairs = vec![
        ("version", status.version.clone()),
        ("root of trust", root.to_owned()),
        ("running since", text::time(status.started)),
        ("halted", halted),
        ("agent", agent),
    ];
    for pack in status.agent.iter().flat_map(|agent| &agent.packs) {
        let root = text::fit(&pack.root, 16);
        let applications = pack.applications.join(" ");
        pairs.push(("pack", format!("{} {root} {applications}", pack.name)));
    }
    let jobs: Vec<String> = status
        .jobs
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let jobs = match jobs.is_empty() {
        true => "none".to_owned(),
        false => jobs.join(", "),
    };
    let (audit, tpm) = (&status.audit, &status.tpm);
    pairs.extend([
        ("jobs", jobs),
        (
            "audit",
            format!(
                "{} entries, {} cosigned by the TPM",
                audit.size, audit.cosigned
            ),
        ),
        ("audit root", audit.root.clone()),
        (
            "TPM",
            format!(
                "clock {}, {} resets, {} restarts, counter {}",
                text::seconds(tpm.clock_ms),
                tpm.resets,
                tpm.restarts,
                tpm.counter
            ),
        ),
    ]);
    pairs
}
