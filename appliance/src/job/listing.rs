//! The signed list of a job's files, made when the job has ended.

use casemate_attest::artifacts::{Artifact, Manifest};
use casemate_attest::digest::Digest as Hash;
use casemate_protocol::id::{Digest, JobId};

use super::dispatcher::{Dispatcher, Inner};
use super::error::JobError;
use crate::keys::SubjectId;
use crate::store::entry::Entry;

impl Dispatcher {
    /// Signs the list of files of each job that ended since.
    pub(super) fn sign_lists(&self, inner: &mut Inner) -> Result<(), JobError> {
        while let Some(&id) = inner.unsigned.first() {
            self.sign_list(id)?;
            inner.unsigned.retain(|other| *other != id);
        }
        Ok(())
    }

    fn sign_list(&self, id: JobId) -> Result<(), JobError> {
        let Some(row) = self.store.index().job(id)? else {
            return Ok(());
        };
        let items = self
            .store
            .index()
            .job_artifacts(id)?
            .into_iter()
            .filter(|file| file.attempt == row.attempt && file.kind.is_some())
            .map(|file| Artifact {
                name: file.name,
                media: file.media,
                size: file.artifact.size,
                sha256: Hash::new(file.artifact.digest.0),
            })
            .collect();
        let manifest = Manifest::new(id.0, Hash::new(row.spec.digest().0), items);
        let root = Digest(*manifest.root().as_bytes());
        let bytes = self.store.sign_manifest(&manifest);
        let stored = self.store.put_artifact(SubjectId::of_job(id), &bytes)?;
        self.store.commit(Entry::ManifestIssued {
            job: id,
            manifest: stored,
            root,
        })?;
        Ok(())
    }
}
