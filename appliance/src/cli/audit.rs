//! `casemate audit`.

use casemate_attest::export::VerifiedExport;

use super::args::Audit;
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, evidence, text};
use crate::api::view::{AuditPage, AuditView};

pub(super) fn run(desk: &mut Desk<'_>, command: Audit) -> Result<Exit, Failure> {
    match command {
        Audit::List { from, limit } => list(desk, from, limit),
        Audit::Export(file) => {
            let bytes = desk
                .client
                .get_bytes("exporting the audit log", "/v1/audit/export")?;
            evidence::save(desk, &file.out, &bytes)
        }
        Audit::Verify => verify(desk),
    }
}

fn list(desk: &mut Desk<'_>, from: u64, limit: u64) -> Result<Exit, Failure> {
    let mut entries: Vec<AuditView> = Vec::new();
    let mut from = from;
    while u64::try_from(entries.len()).unwrap_or(u64::MAX) < limit {
        let page: AuditPage = desk
            .client
            .get("reading the audit log", &format!("/v1/audit?from={from}"))?;
        let Some(last) = page.entries.last() else {
            break;
        };
        from = last.number.saturating_add(1);
        entries.extend(page.entries);
    }
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if desk.json {
        text::json(desk.out, &entries)?;
        return Ok(Exit::Done);
    }
    let mut table = text::Table::new(&["NO", "TIME", "KIND", "WHAT"]);
    for entry in entries {
        table.row(vec![
            entry.number.to_string(),
            text::time(entry.time),
            entry.kind,
            entry.text,
        ]);
    }
    table.write(desk.out, "no entries")?;
    Ok(Exit::Done)
}

/// Checks the export here: the daemon is not asked whether its log is good.
fn verify(desk: &mut Desk<'_>) -> Result<Exit, Failure> {
    let what = "verifying the audit log";
    let bytes = desk.client.get_bytes(what, "/v1/audit/export")?;
    let export = VerifiedExport::read(&bytes, None).map_err(|e| Failure {
        what: what.to_owned(),
        why: e.to_string(),
        code: e.code().id.to_owned(),
        next: e.code().next.to_owned(),
        exit: Exit::Negative,
    })?;
    let size = export.checkpoint.size;
    let root = hex::encode(export.checkpoint.root.as_bytes());
    let key = hex::encode(export.key.as_bytes());
    if desk.json {
        text::json(
            desk.out,
            &serde_json::json!({ "entries": size, "root": root, "key": key }),
        )?;
    } else {
        writeln!(
            desk.out,
            "the audit log holds: {size} entries, each as signed"
        )?;
        text::pairs(desk.out, &[("root", root), ("log key", key)])?;
    }
    Ok(Exit::Done)
}
