//! What each call does. All but [`events`] block, on the disk, the TPM or agentd.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::id::JobId;

use super::appliance::Appliance;
use super::error::ApiError;
use super::route::blocking;
use super::show;
use super::view::{
    AgentView, ArtifactView, AuditCheck, AuditPage, CheckView, DiagnosisView, EventsView,
    HaltRequest, HaltView, HeadView, JobRequest, JobView, PackView, Status, TpmView, WorkflowView,
};
use crate::code;
use crate::job::error::JobError;
use crate::job::order::Order;
use crate::keys::SubjectId;
use crate::store::entry::Entry;
use crate::store::row::{JobRow, WorkflowRow};

/// Most events, or audit entries, in one answer.
const PAGE: usize = 256;
/// Longest wait for an event.
const MAX_WAIT_MS: u64 = 60_000;

pub(super) fn status(appliance: &Appliance) -> Result<Status, ApiError> {
    let mut jobs = BTreeMap::new();
    for row in appliance.store.index().jobs()? {
        let count: &mut u64 = jobs.entry(row.state.word().to_owned()).or_default();
        *count = count.saturating_add(1);
    }
    let agent = appliance.dispatcher.agent().map(|agent| AgentView {
        slots: agent.slots,
        busy: u32::try_from(agent.busy).unwrap_or(u32::MAX),
        packs: agent
            .packs
            .into_iter()
            .map(|pack| PackView {
                name: pack.name,
                root: pack.root.to_string(),
                applications: pack.applications,
            })
            .collect(),
    });
    let clock = appliance.chip.clock();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        development: appliance.development,
        started: appliance.started,
        halted: appliance.dispatcher.halted(),
        agent,
        jobs,
        audit: head(appliance),
        tpm: TpmView {
            clock_ms: clock.ms,
            resets: clock.resets,
            restarts: clock.restarts,
            counter: appliance
                .store
                .anchored()
                .map_or(0, |anchored| anchored.counter),
        },
    })
}

fn head(appliance: &Appliance) -> HeadView {
    let signed = appliance.store.checkpoint();
    HeadView {
        size: signed.checkpoint.size,
        root: hex::encode(signed.checkpoint.root.as_bytes()),
        cosigned: appliance
            .store
            .anchored()
            .map_or(0, |anchored| anchored.signed.checkpoint.size),
    }
}

fn read_bundle(bytes: &[u8]) -> Result<Bundle, ApiError> {
    let bundle: Bundle = codec::decode_canonical(bytes)
        .map_err(|e| ApiError::bad(&code::REQUEST_MALFORMED, format!("the bundle: {e}")))?;
    bundle
        .check()
        .map_err(|e| ApiError::bad(e.code(), e.to_string()))?;
    Ok(bundle)
}

pub(super) fn check_workflow(appliance: &Appliance, bytes: &[u8]) -> Result<CheckView, ApiError> {
    let bundle = read_bundle(bytes)?;
    let diagnoses = appliance.dispatcher.check_workflow(&bundle)?;
    Ok(CheckView {
        name: bundle.name,
        diagnoses: diagnoses
            .into_iter()
            .map(|fault| DiagnosisView {
                file: fault.file,
                line: fault.line,
                column: fault.column,
                message: fault.message,
            })
            .collect(),
    })
}

pub(super) fn add_workflow(
    appliance: &Appliance,
    bytes: &[u8],
    by: &str,
) -> Result<WorkflowView, ApiError> {
    let bundle = read_bundle(bytes)?;
    let stored = appliance.store.put_artifact(SubjectId::SYSTEM, bytes)?;
    appliance.store.commit(Entry::WorkflowAdded {
        name: bundle.name.clone(),
        bundle: stored,
        by: by.to_owned(),
    })?;
    workflow(appliance, &bundle.name)
}

pub(super) fn workflows(appliance: &Appliance) -> Result<Vec<WorkflowView>, ApiError> {
    let rows = appliance.store.index().workflows()?;
    rows.into_iter()
        .map(|row| view_workflow(appliance, row))
        .collect()
}

pub(super) fn workflow(appliance: &Appliance, name: &str) -> Result<WorkflowView, ApiError> {
    let row = appliance
        .store
        .index()
        .workflow(name)?
        .ok_or_else(|| JobError::NoWorkflow(name.to_owned()))?;
    view_workflow(appliance, row)
}

fn view_workflow(appliance: &Appliance, row: WorkflowRow) -> Result<WorkflowView, ApiError> {
    let bytes = appliance.dispatcher.read_bundle(row.bundle)?;
    let bundle = codec::decode_canonical(&bytes).map_err(|e| JobError::State {
        code: &code::ARTIFACT_DAMAGED,
        message: format!("the stored bundle of {:?}: {e}", row.name),
    })?;
    Ok(show::workflow(row, bundle))
}

pub(super) fn submit(
    appliance: &Appliance,
    wanted: JobRequest,
    by: String,
) -> Result<JobView, ApiError> {
    let mut inputs = BTreeMap::new();
    for (name, artifact) in wanted.inputs {
        let id = artifact.parse().map_err(|_| JobError::Input {
            name: name.clone(),
            why: "its artifact is not an id of 32 hexadecimal digits".to_owned(),
        })?;
        inputs.insert(name, id);
    }
    let job = appliance.dispatcher.job_of(Order {
        workflow: wanted.workflow,
        inputs,
        parameters: wanted.parameters,
        requester: by.clone(),
    })?;
    match appliance.dispatcher.submit(job) {
        Ok(id) => self::job(appliance, id),
        Err(error) => {
            if let JobError::Halted(_) = error
                && let Some(entry) = appliance.denied(&by, "start a job", error.code().id)
            {
                // Refused either way.
                let _ = appliance.store.commit(entry);
            }
            Err(error.into())
        }
    }
}

pub(super) fn jobs(appliance: &Appliance) -> Result<Vec<JobView>, ApiError> {
    let rows = appliance.store.index().jobs()?;
    Ok(rows
        .into_iter()
        .rev()
        .map(|row| view_job(appliance, row))
        .collect())
}

fn view_job(appliance: &Appliance, row: JobRow) -> JobView {
    let waits = (!row.state.is_final())
        .then(|| appliance.dispatcher.waits_for(row.spec.job))
        .flatten();
    show::job(row, waits)
}

fn row(appliance: &Appliance, id: JobId) -> Result<JobRow, ApiError> {
    let row = appliance.store.index().job(id)?;
    Ok(row.ok_or(JobError::NoJob(id))?)
}

pub(super) fn job(appliance: &Appliance, id: JobId) -> Result<JobView, ApiError> {
    Ok(view_job(appliance, row(appliance, id)?))
}

pub(super) fn cancel(appliance: &Appliance, id: JobId, by: &str) -> Result<JobView, ApiError> {
    appliance.dispatcher.cancel(id, by)?;
    job(appliance, id)
}

/// The events after a number, waiting for one if there is none and the job goes on.
pub(super) async fn events(
    appliance: Arc<Appliance>,
    id: JobId,
    after: u64,
    wait_ms: u64,
) -> Result<EventsView, ApiError> {
    let mut changes = appliance.dispatcher.watch();
    let wait = Duration::from_millis(wait_ms.min(MAX_WAIT_MS));
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        // Seen before reading: what changes while reading wakes the wait below.
        changes.mark_unchanged();
        let reader = Arc::clone(&appliance);
        let page = blocking(move || events_now(&reader, id, after)).await?;
        if !page.events.is_empty() || page.ended {
            return Ok(page);
        }
        match tokio::time::timeout_at(deadline, changes.changed()).await {
            Ok(Ok(())) => {}
            // Time is up, or the dispatcher is gone.
            Ok(Err(_)) | Err(_) => return Ok(page),
        }
    }
}

fn events_now(appliance: &Appliance, id: JobId, after: u64) -> Result<EventsView, ApiError> {
    // The row first: events that come in between are then after `last`, not missing.
    let row = row(appliance, id)?;
    let events = appliance.store.index().events(id, after, PAGE)?;
    Ok(EventsView {
        state: row.state.word().to_owned(),
        ended: row.state.is_final(),
        last: row.events,
        events: events.into_iter().map(show::event).collect(),
    })
}

pub(super) fn artifacts(appliance: &Appliance, id: JobId) -> Result<Vec<ArtifactView>, ApiError> {
    let row = row(appliance, id)?;
    let mut views = show::inputs(&row);
    let made = appliance.store.index().job_artifacts(id)?;
    views.extend(made.into_iter().filter_map(show::artifact));
    Ok(views)
}

pub(super) fn audit(appliance: &Appliance, from: u64) -> Result<AuditPage, ApiError> {
    let head = head(appliance);
    let mut entries = Vec::new();
    let page = u64::try_from(PAGE).unwrap_or(u64::MAX);
    for number in from..head.size.min(from.saturating_add(page)) {
        entries.push(show::audit(appliance.store.read(number)?));
    }
    Ok(AuditPage { head, entries })
}

pub(super) fn export(appliance: &Appliance) -> Result<Vec<u8>, ApiError> {
    Ok(appliance.store.export()?)
}

pub(super) fn verify(appliance: &Appliance) -> Result<AuditCheck, ApiError> {
    let signed = appliance.store.verify()?;
    Ok(AuditCheck {
        head: head(appliance),
        checked: signed.checkpoint.size,
    })
}

pub(super) fn evidence(
    appliance: &Appliance,
    challenge: Vec<u8>,
    job: Option<JobId>,
    by: &str,
) -> Result<Vec<u8>, ApiError> {
    let clocks = appliance.clocks.as_ref();
    let selftest = appliance.dispatcher.agent().map(|agent| agent.selftest);
    Ok(appliance
        .issuer
        .evidence(&appliance.store, clocks, challenge, job, selftest, by)?)
}

pub(super) fn enrolment(appliance: &Appliance) -> Result<Vec<u8>, ApiError> {
    Ok(appliance.issuer.enrolment(&appliance.store)?)
}

pub(super) fn halt(
    appliance: &Appliance,
    wanted: HaltRequest,
    by: &str,
) -> Result<HaltView, ApiError> {
    let done = appliance.dispatcher.halt(wanted.halted, by)?;
    Ok(HaltView {
        halted: done.halted,
        stopped: u64::try_from(done.stopped).unwrap_or(u64::MAX),
    })
}
