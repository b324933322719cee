//! Where chunks lie, and how a file is written and read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use casemate_protocol::id::{ArtifactId, Digest};
use sha2::{Digest as _, Sha256};

use super::chunk::{BYTES, Chunker, Position};
use super::{Artifact, ArtifactError};
use crate::keys::derive::ApplianceId;
use crate::keys::ring::SubjectKey;
use crate::keys::{SubjectId, random};
use crate::store::durable;

/// The directory of chunks.
#[derive(Debug, Clone)]
pub struct Vault {
    dir: PathBuf,
    appliance: ApplianceId,
}

/// A file being stored. Dropped without [`ArtifactWriter::finish`] it leaves nothing.
#[derive(Debug)]
pub struct ArtifactWriter {
    vault: Vault,
    chunker: Chunker,
    id: ArtifactId,
    subject: SubjectId,
    pending: Vec<u8>,
    written: u64,
    size: u64,
    hash: Sha256,
    finished: bool,
}

/// A file being read, chunk by chunk.
#[derive(Debug)]
pub struct ArtifactReader {
    vault: Vault,
    chunker: Chunker,
    artifact: Artifact,
    next: u64,
    size: u64,
    hash: Sha256,
}

impl Vault {
    /// The vault in `dir`, which is there.
    pub fn new(dir: &Path, appliance: ApplianceId) -> Self {
        Self {
            dir: dir.to_owned(),
            appliance,
        }
    }

    /// Begins a file under a subject's key.
    ///
    /// # Errors
    /// [`ArtifactError::Key`] if the kernel gives no id.
    pub fn write(
        &self,
        subject: SubjectId,
        key: &SubjectKey,
    ) -> Result<ArtifactWriter, ArtifactError> {
        Ok(self.write_as(ArtifactId(random()?), subject, key))
    }

    /// The same with an id that was made before, for a subject named after its file.
    pub fn write_as(&self, id: ArtifactId, subject: SubjectId, key: &SubjectKey) -> ArtifactWriter {
        ArtifactWriter {
            vault: self.clone(),
            chunker: Chunker::new(self.appliance, (key.tenant, subject), id, &key.key),
            id,
            subject,
            pending: Vec::new(),
            written: 0,
            size: 0,
            hash: Sha256::new(),
            finished: false,
        }
    }

    /// Begins to read a file.
    pub fn read(&self, artifact: Artifact, key: &SubjectKey) -> ArtifactReader {
        let owner = (key.tenant, artifact.subject);
        ArtifactReader {
            vault: self.clone(),
            chunker: Chunker::new(self.appliance, owner, artifact.id, &key.key),
            artifact,
            next: 0,
            size: 0,
            hash: Sha256::new(),
        }
    }

    /// Names of the chunks of a file, for [`Vault::sweep`].
    pub fn names(&self, artifact: &Artifact, key: &SubjectKey) -> Vec<String> {
        let owner = (key.tenant, artifact.subject);
        let chunker = Chunker::new(self.appliance, owner, artifact.id, &key.key);
        (0..artifact.chunks())
            .map(|index| chunker.name(index))
            .collect()
    }

    /// Removes every file that is not a chunk of a known artifact; gives their number.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn sweep(&self, known: &HashSet<String>) -> Result<u64, ArtifactError> {
        let mut swept = 0u64;
        for folder in list(&self.dir)? {
            for file in list(&folder)? {
                let name = file
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                if name.is_some_and(|name| !known.contains(&name)) {
                    std::fs::remove_file(&file).map_err(|source| io(&file, source))?;
                    swept = swept.saturating_add(1);
                }
            }
        }
        Ok(swept)
    }

    fn place(&self, name: &str) -> (PathBuf, PathBuf) {
        let folder = self.dir.join(name.get(..2).unwrap_or("00"));
        let path = folder.join(name);
        (folder, path)
    }
}

impl ArtifactWriter {
    /// The file's id.
    pub fn id(&self) -> ArtifactId {
        self.id
    }

    /// Adds bytes; whole chunks are durable when this returns.
    ///
    /// # Errors
    /// [`ArtifactError`]; the file is then to be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ArtifactError> {
        self.hash.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
        let mut rest = bytes;
        while !rest.is_empty() {
            // The last chunk is sealed as such, so a full one waits until it is known not to be.
            if self.pending.len() == BYTES {
                let chunk = std::mem::take(&mut self.pending);
                self.put(&chunk, false)?;
            }
            let room = BYTES.saturating_sub(self.pending.len()).min(rest.len());
            let (now, later) = rest.split_at(room);
            self.pending.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// Ends the file; it is durable when this returns, and counts once an entry names it.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub fn finish(mut self) -> Result<Artifact, ArtifactError> {
        let chunk = std::mem::take(&mut self.pending);
        self.put(&chunk, true)?;
        self.finished = true;
        Ok(Artifact {
            id: self.id,
            subject: self.subject,
            size: self.size,
            digest: Digest(std::mem::take(&mut self.hash).finalize().into()),
        })
    }

    fn put(&mut self, chunk: &[u8], last: bool) -> Result<(), ArtifactError> {
        let name = self.chunker.name(self.written);
        let sealed = self.chunker.seal(
            Position {
                index: self.written,
                last,
            },
            chunk,
        )?;
        let (folder, path) = self.vault.place(&name);
        durable::directory(&folder)
            .and_then(|()| durable::put(&folder, &name, &sealed))
            .map_err(|source| io(&path, source))?;
        self.written = self.written.saturating_add(1);
        Ok(())
    }
}

impl Drop for ArtifactWriter {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        for index in 0..self.written {
            // What stays is swept at the next start.
            let _ = std::fs::remove_file(self.vault.place(&self.chunker.name(index)).1);
        }
    }
}

impl ArtifactReader {
    /// The next chunk's bytes; `None` after the last, when the whole is the one that was stored.
    ///
    /// # Errors
    /// [`ArtifactError::Damaged`] names artifact and chunk.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, ArtifactError> {
        let chunks = self.artifact.chunks();
        if self.next >= chunks {
            return Ok(None);
        }
        let at = Position {
            index: self.next,
            last: self.next.saturating_add(1) == chunks,
        };
        let damaged = |reason| ArtifactError::Damaged {
            artifact: self.artifact.id,
            chunk: at.index.saturating_add(1),
            chunks,
            reason,
        };
        let (_, path) = self.vault.place(&self.chunker.name(at.index));
        let file = std::fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => damaged("it is missing"),
            _ => io(&path, source),
        })?;
        let plain = self.chunker.open(at, &file).map_err(damaged)?;
        self.hash.update(&plain);
        self.size = self.size.saturating_add(plain.len() as u64);
        if at.last {
            let digest = Digest(std::mem::take(&mut self.hash).finalize().into());
            if self.size != self.artifact.size || digest != self.artifact.digest {
                return Err(damaged("the whole is not the file that was stored"));
            }
        }
        self.next = self.next.saturating_add(1);
        Ok(Some(plain))
    }

    /// All bytes of the file, at most `limit`.
    ///
    /// # Errors
    /// [`ArtifactError`]; a file over the limit is refused before it is read.
    pub fn read_all(mut self, limit: u64) -> Result<Vec<u8>, ArtifactError> {
        if self.artifact.size > limit {
            let error = std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                format!(
                    "{} bytes, at most {limit} are read at once",
                    self.artifact.size
                ),
            );
            return Err(io(Path::new(&self.artifact.id.to_string()), error));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.artifact.size).unwrap_or(0));
        while let Some(chunk) = self.next_chunk()? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, ArtifactError> {
    let read =
        std::fs::read_dir(dir).and_then(|items| items.map(|item| Ok(item?.path())).collect());
    read.map_err(|source| io(dir, source))
}

fn io(path: &Path, source: std::io::Error) -> ArtifactError {
    ArtifactError::Io {
        path: path.display().to_string(),
        source,
    }
}
