//! From what the state holds to what a client sees.

use std::collections::BTreeMap;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::denial::Denial;
use casemate_protocol::event::{ArtifactKind, ConnectionEvent, Event, StepResult};
use casemate_protocol::job::OnInterrupt;

use super::view::{ArtifactView, AuditView, DenialView, EventView, JobView, WorkflowView};
use crate::cli::text;
use crate::job::state::{Change, Ending};
use crate::store::Recorded;
use crate::store::entry::Entry;
use crate::store::row::{ArtifactRow, EventRow, JobRow, WorkflowRow};

/// A workflow with its bundle.
pub fn workflow(row: WorkflowRow, bundle: Bundle) -> WorkflowView {
    WorkflowView {
        name: row.name,
        summary: bundle.summary,
        digest: row.bundle.digest.to_string(),
        added: row.added.wall_ms / 1000,
        by: row.by,
        files: bundle
            .files
            .into_iter()
            .map(|(path, bytes)| (path, u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
            .collect(),
        verbs: bundle
            .grants
            .verbs
            .iter()
            .map(|verb| verb.word().to_owned())
            .collect(),
        applications: bundle.grants.applications,
        outputs: bundle.grants.outputs,
        parameters: bundle.parameters.into_iter().collect(),
        seconds: bundle.limits.seconds,
        steps: bundle.limits.steps,
        on_interrupt: match bundle.on_interrupt {
            OnInterrupt::Requeue => "requeue",
            OnInterrupt::Fail => "fail",
        }
        .to_owned(),
    }
}

/// A job, with what it waits for if it waits.
pub fn job(row: JobRow, waits: Option<String>) -> JobView {
    let (code, message) = match &row.ending {
        None => (None, row.cancel.clone().or(waits)),
        Some(Ending::Succeeded) => (None, None),
        Some(Ending::Failed { code, message }) => (Some(code.clone()), Some(message.clone())),
        Some(Ending::Cancelled { reason }) => (None, Some(reason.clone())),
    };
    JobView {
        job: row.spec.job.to_string(),
        workflow: row.spec.workflow.clone(),
        state: row.state.word().to_owned(),
        attempt: row.attempt,
        requester: row.spec.requester.clone(),
        accepted: row.accepted.wall_ms / 1000,
        ended: row.ended.map(|stamp| stamp.wall_ms / 1000),
        code,
        message,
        spec: row.spec.digest().to_string(),
        bundle: row.spec.bundle.to_string(),
        pack: row.spec.pack_root.to_string(),
        inputs: row
            .spec
            .inputs
            .iter()
            .map(|input| (input.name.clone(), input.digest.to_string()))
            .collect(),
        parameters: row
            .spec
            .parameters
            .iter()
            .cloned()
            .collect::<BTreeMap<_, _>>(),
        events: row.events,
        steps: row.steps,
        findings: row.findings,
        rows: row.rows,
        artifacts: row.files,
    }
}

/// One event of a job.
pub fn event(row: EventRow) -> EventView {
    let mut view = EventView {
        seq: row.number,
        attempt: row.attempt,
        time: row.stamp.wall_ms / 1000,
        ..EventView::default()
    };
    match row.change {
        None => view.kind = "accepted".to_owned(),
        Some(Change::Leased { attempt }) => {
            view.kind = "leased".to_owned();
            view.message = Some(format!("attempt {attempt}"));
        }
        Some(Change::Event { event, .. }) => reported(&mut view, event),
        Some(Change::Stored { file, .. }) => {
            view.kind = "artifact".to_owned();
            view.target = Some(file.name);
            view.message = Some(file.media);
            view.artifact = Some(file.artifact.id.to_string());
            view.digest = Some(file.artifact.digest.to_string());
        }
        Some(Change::CancelAsked { reason }) => {
            view.kind = "cancel-asked".to_owned();
            view.message = Some(reason);
        }
        Some(Change::Requeued { attempt, reason }) => {
            view.kind = "requeued".to_owned();
            view.message = Some(format!("attempt {attempt} follows; {reason}"));
        }
        Some(Change::Ended { ending, .. }) => ended(&mut view, ending),
    }
    view
}

fn reported(view: &mut EventView, event: Event) {
    match event {
        Event::Phase { name, at_ms } => {
            view.kind = "phase".to_owned();
            view.target = Some(name);
            view.at_ms = Some(at_ms);
        }
        Event::StepStarted { .. } | Event::StepDone { .. } => step(view, event),
        Event::Log { text } => {
            view.kind = "log".to_owned();
            view.message = Some(text);
        }
        Event::Finding { item, text } => {
            view.kind = "finding".to_owned();
            view.target = Some(item);
            view.message = Some(text);
        }
        Event::Row { cells } => {
            view.kind = "row".to_owned();
            view.cells = cells;
        }
        Event::Verified { path, digest, rows } => {
            view.kind = "verified".to_owned();
            view.target = Some(path);
            view.digest = Some(digest.to_string());
            view.message = Some(format!("{} equal", text::count(rows.into(), "row")));
        }
        Event::Connection { .. } | Event::MoreRefused { .. } => way_out(view, event),
        Event::Denied { denial, at_ms } => denied(view, denial, at_ms),
        Event::DenialsMissing { text } => {
            view.kind = "denials-missing".to_owned();
            view.message = Some(text);
        }
    }
}

/// What a layer held.
fn denied(view: &mut EventView, denial: Denial, at_ms: u64) {
    view.kind = "denied".to_owned();
    view.at_ms = Some(at_ms);
    view.message = Some(denial.sentence());
    view.denial = Some(DenialView {
        compartment: denial.compartment,
        program: denial.program,
        layer: denial.layer,
        what: denial.what,
        why: denial.why,
        rule: denial.rule,
        count: denial.count,
    });
}

fn step(view: &mut EventView, event: Event) {
    match event {
        Event::StepStarted {
            step,
            verb,
            target,
            at_ms,
        } => {
            view.kind = "step-started".to_owned();
            view.step = Some(step);
            view.verb = Some(verb);
            view.target = Some(target);
            view.at_ms = Some(at_ms);
        }
        Event::StepDone {
            step,
            verb,
            target,
            result,
            at_ms,
            took_ms,
            screenshot,
            ..
        } => {
            view.kind = "step".to_owned();
            view.step = Some(step);
            view.verb = Some(verb);
            view.target = Some(target);
            view.at_ms = Some(at_ms);
            view.took_ms = Some(took_ms);
            view.screenshot = screenshot;
            outcome(view, result);
        }
        _ => {}
    }
}

/// What a job reached, or did not.
fn way_out(view: &mut EventView, event: Event) {
    view.kind = "connection".to_owned();
    match event {
        Event::Connection {
            number,
            host,
            port,
            what,
        } => {
            let (outcome, code, message) = connection(what);
            view.target = Some(format!("#{number} {host}:{port}"));
            view.outcome = Some(outcome.to_owned());
            view.code = code;
            view.message = Some(message);
        }
        Event::MoreRefused { count } => {
            view.outcome = Some("refused".to_owned());
            view.message = Some(more_refused(count));
        }
        _ => {}
    }
}

/// A connection's outcome, code and sentence.
fn connection(what: ConnectionEvent) -> (&'static str, Option<String>, String) {
    match what {
        ConnectionEvent::Opened { address } => ("opened", None, format!("at {address}")),
        ConnectionEvent::Closed {
            sent,
            received,
            code,
        } => (
            "closed",
            code,
            format!("{sent} bytes sent, {received} received"),
        ),
        ConnectionEvent::Refused { code, message } => ("refused", Some(code), message),
    }
}

fn more_refused(count: u64) -> String {
    format!("{} more refused", text::count(count, "connection"))
}

fn outcome(view: &mut EventView, result: StepResult) {
    let (outcome, code, message) = match result {
        StepResult::Ok => ("ok", None, None),
        StepResult::Failed { code, message } => ("failed", Some(code), Some(message)),
        StepResult::Refused { code, message } => ("refused", Some(code), Some(message)),
    };
    view.outcome = Some(outcome.to_owned());
    view.code = code;
    view.message = message;
}

fn ended(view: &mut EventView, ending: Ending) {
    match ending {
        Ending::Succeeded => view.kind = "succeeded".to_owned(),
        Ending::Failed { code, message } => {
            view.kind = "failed".to_owned();
            view.code = Some(code);
            view.message = Some(message);
        }
        Ending::Cancelled { reason } => {
            view.kind = "cancelled".to_owned();
            view.message = Some(reason);
        }
    }
}

/// The word for a kind of file.
pub fn kind(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Input => "input",
        ArtifactKind::Output => "output",
        ArtifactKind::Screenshot => "screenshot",
        ArtifactKind::Log => "log",
    }
}

/// A stored file; `None` for a bundle or a manifest, which are not a client's.
pub fn artifact(row: ArtifactRow) -> Option<ArtifactView> {
    Some(ArtifactView {
        artifact: row.artifact.id.to_string(),
        job: row.job.map(|job| job.to_string()),
        attempt: row.job.map(|_| row.attempt),
        name: row.name,
        kind: kind(row.kind?).to_owned(),
        media: row.media,
        digest: row.artifact.digest.to_string(),
        size: row.artifact.size,
    })
}

/// The inputs of a job as files of it.
pub fn inputs(row: &JobRow) -> Vec<ArtifactView> {
    row.spec
        .inputs
        .iter()
        .zip(&row.inputs)
        .map(|(input, artifact)| ArtifactView {
            artifact: artifact.id.to_string(),
            job: Some(row.spec.job.to_string()),
            attempt: None,
            name: input.name.clone(),
            kind: "input".to_owned(),
            media: "application/octet-stream".to_owned(),
            digest: artifact.digest.to_string(),
            size: artifact.size,
        })
        .collect()
}

/// An entry of the audit log, in one line.
pub fn audit(recorded: Recorded) -> AuditView {
    let text = recorded
        .entry
        .as_ref()
        .map_or_else(|| "the key of this subject was erased".to_owned(), sentence);
    AuditView {
        number: recorded.leaf.seq,
        time: recorded.leaf.wall_ms / 1000,
        kind: recorded.leaf.kind,
        text,
    }
}

fn sentence(entry: &Entry) -> String {
    match entry {
        Entry::StateCreated { counter, .. } => format!("state made at counter {counter}"),
        Entry::Opened { clean, cut } => match (clean, cut) {
            (true, _) => "state opened".to_owned(),
            (false, 0) => "state opened after a crash".to_owned(),
            (false, cut) => format!("state opened after a crash, {cut} unacknowledged bytes cut"),
        },
        Entry::Closed => "state closed".to_owned(),
        Entry::KeyCreated { subject, .. } => format!("key made for {subject}"),
        Entry::KeyErased { subject, by } => format!("key of {subject} erased by {by}"),
        Entry::Checkpoint { size, counter, .. } => {
            format!("the TPM vouched for {size} entries at counter {counter}")
        }
        Entry::WorkflowAdded { name, bundle, by } => {
            format!("workflow {name} added by {by}, bundle {}", bundle.digest)
        }
        Entry::InputStored { artifact, by, .. } => {
            format!(
                "input {} of {} bytes stored by {by}",
                artifact.id, artifact.size
            )
        }
        Entry::JobAccepted { spec, .. } => format!(
            "job {} of workflow {} accepted for {}",
            spec.job, spec.workflow, spec.requester
        ),
        Entry::JobChanged { job, change } => format!("job {job} {}", changed(change)),
        Entry::ManifestIssued { job, root, .. } => {
            format!("job {job} list of files signed, root {root}")
        }
        Entry::HaltSet { halted: true, by } => format!("all jobs halted by {by}"),
        Entry::HaltSet { halted: false, by } => format!("halt lifted by {by}"),
        Entry::EvidenceIssued { challenge, by, .. } => {
            format!("evidence issued to {by} for challenge {challenge}")
        }
        Entry::AgentConnected { uid, pid, .. } => {
            format!("agentd connected as uid {uid}, process {pid}")
        }
        Entry::AgentLost { code, message } => format!("agentd lost: {code}: {message}"),
        Entry::TpmMoved { journal, counter } => format!(
            "a recovery key brought the state to another TPM: counter {counter} instead of {journal}"
        ),
        Entry::Denied { by, what, code } => format!("{by} refused to {what}: {code}"),
    }
}

fn changed(change: &Change) -> String {
    match change {
        Change::Leased { attempt } => format!("leased, attempt {attempt}"),
        Change::Event { event, .. } => match event {
            Event::Phase { name, .. } => format!("reached {name}"),
            Event::StepStarted {
                step, verb, target, ..
            } => {
                format!("step {step} started: {verb} {target}")
            }
            Event::StepDone {
                step, verb, result, ..
            } => match result {
                StepResult::Ok => format!("step {step} done: {verb}"),
                StepResult::Failed { code, .. } => format!("step {step} failed: {verb}: {code}"),
                StepResult::Refused { code, message } => {
                    format!("step {step} refused: {verb}: {code}: {message}")
                }
            },
            Event::Log { text } => format!("log: {text}"),
            Event::Finding { item, text } => format!("finding: {item}: {text}"),
            Event::Row { cells } => format!("row of {} cells", cells.len()),
            Event::Verified { path, rows, .. } => format!("verified {path}, {rows} rows"),
            Event::Connection {
                number,
                host,
                port,
                what,
            } => {
                let (outcome, code, message) = connection(what.clone());
                let code = code.map_or(String::new(), |code| format!("{code}: "));
                format!("connection {number} to {host}:{port} {outcome}: {code}{message}")
            }
            Event::MoreRefused { count } => more_refused(*count),
            Event::Denied { denial, .. } => {
                let times = match denial.count {
                    1 => String::new(),
                    count => format!(" ({count} times)"),
                };
                format!("denied: {}{times}", denial.sentence())
            }
            Event::DenialsMissing { text } => text.clone(),
        },
        Change::Stored { file, .. } => {
            format!(
                "stored {} as {}, {}",
                file.name, file.artifact.id, file.artifact.digest
            )
        }
        Change::CancelAsked { reason } => format!("told to stop: {reason}"),
        Change::Requeued { attempt, reason } => format!("requeued for attempt {attempt}: {reason}"),
        Change::Ended { ending, .. } => match ending {
            Ending::Succeeded => "succeeded".to_owned(),
            Ending::Failed { code, message } => format!("failed: {code}: {message}"),
            Ending::Cancelled { reason } => format!("cancelled: {reason}"),
        },
    }
}
