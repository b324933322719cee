//! What an entry means for the index: one function, live and when rebuilding.

use casemate_protocol::codec;
use casemate_protocol::event::{ArtifactKind, Event};
use casemate_protocol::id::{ArtifactId, Digest, JobId, TenantId};
use casemate_protocol::job::JobSpec;
use minicbor::{Decode, Encode};

use super::entry::Entry;
use super::index::{IndexError, decode};
use super::row::{ArtifactRow, EventRow, FindingRow, HaltRow, JobRow, Stamp, WorkflowRow};
use super::table::{Changes, Row, RowKey, Rows, Table};
use crate::artifact::Artifact;
use crate::job::state::{Change, Ending, State, StoredFile};
use crate::keys::SubjectId;

/// Entries being applied: later ones see the changes of earlier ones.
pub(super) struct Batch<'r> {
    rows: &'r Rows,
    changes: Changes,
    position: u64,
}

impl<'r> Batch<'r> {
    pub(super) fn new(rows: &'r Rows) -> Self {
        Self {
            rows,
            changes: Changes::new(),
            position: rows.position(),
        }
    }

    /// The changes, and the position after them.
    pub(super) fn finish(self) -> (Changes, u64) {
        (self.changes, self.position)
    }

    /// Counts an entry that cannot be read any more, because its subject was erased.
    pub(super) fn skip(&mut self, entry: u64) {
        self.position = entry.saturating_add(1);
    }

    /// Applies one entry. An entry below the position is already in the index.
    pub(super) fn apply(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        entry: &Entry,
    ) -> Result<(), IndexError> {
        if stamp.entry < self.position {
            return Ok(());
        }
        self.skip(stamp.entry);
        match entry {
            Entry::WorkflowAdded { name, bundle, by } => {
                self.workflow(stamp, tenant, (name, *bundle, by));
            }
            Entry::InputStored {
                artifact,
                name,
                media,
                ..
            } => self.input(stamp, tenant, *artifact, (name, media)),
            Entry::JobAccepted {
                spec,
                inputs,
                bundle,
            } => self.accepted(stamp, tenant, spec, (inputs, *bundle)),
            Entry::JobChanged { job, change } => self.change(stamp, tenant, *job, change)?,
            Entry::ManifestIssued {
                job,
                manifest,
                root,
            } => self.manifest(stamp, tenant, *job, (*manifest, *root))?,
            Entry::HaltSet { halted, by } => {
                let (halted, by) = (*halted, by.clone());
                let row = HaltRow { halted, by, stamp };
                self.put(self.rows.key(Table::Halt, &[]), stamp, tenant, &row);
            }
            Entry::KeyErased { subject, .. } => self.forget(*subject)?,
            Entry::StateCreated { .. }
            | Entry::Opened { .. }
            | Entry::Closed
            | Entry::KeyCreated { .. }
            | Entry::Checkpoint { .. }
            | Entry::TpmMoved { .. }
            | Entry::EvidenceIssued { .. }
            | Entry::AgentConnected { .. }
            | Entry::AgentLost { .. }
            | Entry::Denied { .. } => {}
        }
        Ok(())
    }

    fn workflow(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        (name, bundle, by): (&str, Artifact, &str),
    ) {
        self.unnamed(stamp, tenant, bundle);
        let row = WorkflowRow {
            name: name.to_owned(),
            bundle,
            by: by.to_owned(),
            added: stamp,
        };
        let key = self.rows.key(Table::Workflow, name.as_bytes());
        self.put(key, stamp, tenant, &row);
    }

    fn input(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        artifact: Artifact,
        (name, media): (&str, &str),
    ) {
        let row = ArtifactRow {
            artifact,
            tenant,
            job: None,
            attempt: 0,
            name: name.to_owned(),
            kind: Some(ArtifactKind::Input),
            media: media.to_owned(),
            stored: stamp,
        };
        let key = self.rows.key(Table::Artifact, &artifact.id.0);
        self.put(key, stamp, tenant, &row);
    }

    fn accepted(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        spec: &JobSpec,
        (inputs, bundle): (&[Artifact], Artifact),
    ) {
        let mut job = JobRow {
            spec: spec.clone(),
            inputs: inputs.to_vec(),
            accepted: stamp,
            state: State::Queued,
            attempt: 1,
            cancel: None,
            ending: None,
            ended: None,
            last_number: 0,
            events: 0,
            steps: 0,
            findings: 0,
            rows: 0,
            files: 0,
            manifest: None,
            bundle,
        };
        self.event(stamp, tenant, &mut job, None);
        self.put_job(stamp, tenant, &job);
    }

    fn change(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        id: JobId,
        change: &Change,
    ) -> Result<(), IndexError> {
        let Some(mut job) = self.get::<JobRow>(&self.rows.key(Table::Job, &id.0))? else {
            // The queue refuses a change of an unknown job before it is recorded.
            return Ok(());
        };
        match change {
            Change::Leased { attempt } => {
                job.state = State::Leased;
                job.attempt = *attempt;
                job.last_number = 0;
                (job.steps, job.findings, job.rows, job.files) = (0, 0, 0, 0);
            }
            Change::Event { number, event, .. } => {
                job.state = State::Running;
                job.last_number = *number;
                self.reported(stamp, tenant, &mut job, event);
            }
            Change::Stored {
                number,
                file,
                attempt,
            } => {
                job.state = State::Running;
                job.last_number = *number;
                self.stored(stamp, tenant, &mut job, *attempt, file);
            }
            Change::CancelAsked { reason } => {
                job.cancel.get_or_insert_with(|| reason.clone());
            }
            Change::Requeued { attempt, .. } => {
                job.state = State::Queued;
                job.attempt = *attempt;
                job.last_number = 0;
            }
            Change::Ended { ending, .. } => {
                job.state = match ending {
                    Ending::Succeeded => State::Succeeded,
                    Ending::Failed { .. } => State::Failed,
                    Ending::Cancelled { .. } => State::Cancelled,
                };
                job.ending = Some(ending.clone());
                job.ended = Some(stamp);
            }
        }
        self.event(stamp, tenant, &mut job, Some(change));
        self.put_job(stamp, tenant, &job);
        Ok(())
    }

    fn reported(&mut self, stamp: Stamp, tenant: TenantId, job: &mut JobRow, event: &Event) {
        match event {
            Event::StepDone { .. } => job.steps = job.steps.saturating_add(1),
            Event::Row { .. } => job.rows = job.rows.saturating_add(1),
            Event::Finding { item, text } => {
                job.findings = job.findings.saturating_add(1);
                let row = FindingRow {
                    job: job.spec.job,
                    attempt: job.attempt,
                    item: item.clone(),
                    text: text.clone(),
                    stamp,
                };
                let key = self
                    .rows
                    .list_key(Table::Finding, &job.spec.job.0, stamp.entry);
                self.put(key, stamp, tenant, &row);
            }
            Event::Phase { .. }
            | Event::StepStarted { .. }
            | Event::Log { .. }
            | Event::Verified { .. }
            | Event::Connection { .. }
            | Event::MoreRefused { .. }
            | Event::Denied { .. }
            | Event::DenialsMissing { .. } => {}
        }
    }

    fn stored(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        job: &mut JobRow,
        attempt: u32,
        file: &StoredFile,
    ) {
        job.files = job.files.saturating_add(1);
        let id = job.spec.job;
        let row = ArtifactRow {
            artifact: file.artifact,
            tenant,
            job: Some(id),
            attempt,
            name: file.name.clone(),
            kind: Some(file.kind),
            media: file.media.clone(),
            stored: stamp,
        };
        self.put(
            self.rows.key(Table::Artifact, &file.artifact.id.0),
            stamp,
            tenant,
            &row,
        );
        let key = self.rows.list_key(Table::JobArtifact, &id.0, stamp.entry);
        self.put(key, stamp, tenant, &file.artifact.id);
    }

    fn manifest(
        &mut self,
        stamp: Stamp,
        tenant: TenantId,
        id: JobId,
        manifest: (Artifact, Digest),
    ) -> Result<(), IndexError> {
        self.unnamed(stamp, tenant, manifest.0);
        if let Some(mut job) = self.get::<JobRow>(&self.rows.key(Table::Job, &id.0))? {
            job.manifest = Some(manifest);
            self.put_job(stamp, tenant, &job);
        }
        Ok(())
    }

    /// A bundle or a manifest: known, so that its chunks are not swept.
    fn unnamed(&mut self, stamp: Stamp, tenant: TenantId, artifact: Artifact) {
        let row = ArtifactRow {
            artifact,
            tenant,
            job: None,
            attempt: 0,
            name: String::new(),
            kind: None,
            media: "application/cbor".to_owned(),
            stored: stamp,
        };
        self.put(
            self.rows.key(Table::Artifact, &artifact.id.0),
            stamp,
            tenant,
            &row,
        );
    }

    fn event(&mut self, stamp: Stamp, tenant: TenantId, job: &mut JobRow, change: Option<&Change>) {
        job.events = job.events.saturating_add(1);
        let row = EventRow {
            number: job.events,
            attempt: job.attempt,
            stamp,
            change: change.cloned(),
        };
        let key = self
            .rows
            .list_key(Table::Event, &job.spec.job.0, job.events);
        self.put(key, stamp, tenant, &row);
    }

    /// Removes everything that was made from a subject's entries.
    fn forget(&mut self, subject: SubjectId) -> Result<(), IndexError> {
        let job = JobId(subject.0);
        for id in self.list::<ArtifactId>(Table::JobArtifact, &job.0)? {
            self.changes
                .insert(self.rows.key(Table::Artifact, &id.0), None);
        }
        if let Some(row) = self.get::<JobRow>(&self.rows.key(Table::Job, &job.0))?
            && let Some((manifest, _)) = row.manifest
        {
            self.changes
                .insert(self.rows.key(Table::Artifact, &manifest.id.0), None);
        }
        for table in [Table::Event, Table::Finding, Table::JobArtifact] {
            for key in self.list_keys(table, &job.0)? {
                self.changes.insert(key, None);
            }
        }
        self.changes.insert(self.rows.key(Table::Job, &job.0), None);
        self.changes
            .insert(self.rows.key(Table::Artifact, &subject.0), None);
        Ok(())
    }

    fn put_job(&mut self, stamp: Stamp, tenant: TenantId, job: &JobRow) {
        self.put(
            self.rows.key(Table::Job, &job.spec.job.0),
            stamp,
            tenant,
            job,
        );
    }

    fn put<T: Encode<()>>(&mut self, key: RowKey, stamp: Stamp, tenant: TenantId, value: &T) {
        let row = Row {
            version: stamp.entry,
            tenant,
            plain: codec::encode(value),
        };
        self.changes.insert(key, Some(row));
    }

    fn get<T>(&self, key: &RowKey) -> Result<Option<T>, IndexError>
    where
        T: for<'b> Decode<'b, ()> + Encode<()>,
    {
        match self.changes.get(key) {
            Some(changed) => changed.as_ref().map(decode).transpose(),
            None => self.rows.get(key)?.as_ref().map(decode).transpose(),
        }
    }

    /// Keys of a list, those of this batch included.
    fn list_keys(&self, table: Table, name: &[u8]) -> Result<Vec<RowKey>, IndexError> {
        let mut keys = self.rows.list_keys(table, name)?;
        let (from, to) = self.rows.list_bounds(table, name);
        keys.extend(self.changes.range(from..=to).map(|(key, _)| key.clone()));
        Ok(keys)
    }

    fn list<T>(&self, table: Table, name: &[u8]) -> Result<Vec<T>, IndexError>
    where
        T: for<'b> Decode<'b, ()> + Encode<()>,
    {
        let keys = self.list_keys(table, name)?;
        let values: Result<Vec<Option<T>>, _> = keys.iter().map(|key| self.get(key)).collect();
        Ok(values?.into_iter().flatten().collect())
    }
}
