//! Stored files: whole, or named with the chunk that is not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by failing"
)]

mod state_bed;

use std::path::PathBuf;

use casemate_appliance::artifact::Artifact;
use casemate_appliance::keys::SubjectId;
use casemate_appliance::store::Store;
use casemate_appliance::store::entry::Entry;
use casemate_protocol::id::Digest;
use state_bed::{Tpm, open};

const MIB: usize = 1 << 20;

struct Bed {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(dir.path(), &Tpm::default()).unwrap();
        Self { dir, store }
    }

    fn put(&self, bytes: &[u8]) -> Artifact {
        self.store.put_artifact(SubjectId::SYSTEM, bytes).unwrap()
    }

    fn read(&self, artifact: Artifact) -> Result<Vec<u8>, String> {
        let reader = self.store.artifact_reader(artifact).unwrap();
        reader.read_all(1 << 30).map_err(|error| {
            assert_eq!(error.code().id, "artifact.damaged", "{error}");
            error.to_string()
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.dir.path().join("artifacts"))
            .unwrap()
            .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
            .map(|file| file.unwrap().path())
            .collect()
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

#[test]
fn a_file_of_any_length_comes_back() {
    let bed = Bed::new();
    for length in [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 7] {
        let bytes = content(length);
        // In pieces that do not fall on the chunks' borders.
        let mut writer = bed.store.artifact_writer(SubjectId::SYSTEM).unwrap();
        for piece in bytes.chunks(700_001) {
            writer.write(piece).unwrap();
        }
        let artifact = writer.finish().unwrap();
        assert_eq!(
            (artifact.size, artifact.digest),
            (length as u64, Digest::of(&bytes))
        );
        assert_eq!(bed.read(artifact).unwrap(), bytes);
    }
    assert_eq!(bed.files().len(), 1 + 1 + 1 + 1 + 2 + 3 + 4);
}

#[test]
fn a_changed_cut_missing_or_swapped_chunk_is_named() {
    let bed = Bed::new();
    let bytes = content(2 * MIB + 5);
    let artifact = bed.put(&bytes);
    let files = bed.files();
    assert_eq!(files.len(), 3);
    let mut named = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let good = std::fs::read(file).unwrap();
        let mut errors = Vec::new();
        let step = (good.len() / 60).max(1);
        for byte in (0..64.min(good.len())).chain((0..good.len()).step_by(step)) {
            let mut bad = good.clone();
            bad[byte] ^= 1;
            std::fs::write(file, &bad).unwrap();
            errors.push(bed.read(artifact).unwrap_err());
        }
        for length in [0, 1, 23, 24, 36, good.len() - 1] {
            std::fs::write(file, &good[..length]).unwrap();
            errors.push(bed.read(artifact).unwrap_err());
        }
        std::fs::write(file, [&good[..], &[0]].concat()).unwrap();
        errors.push(bed.read(artifact).unwrap_err());
        std::fs::copy(&files[(at + 1) % files.len()], file).unwrap();
        errors.push(bed.read(artifact).unwrap_err());
        std::fs::remove_file(file).unwrap();
        errors.push(bed.read(artifact).unwrap_err());
        std::fs::write(file, good).unwrap();
        let chunk = (1..=3)
            .find(|chunk| errors[0].contains(&format!("chunk {chunk} of 3")))
            .unwrap();
        let name = format!("artifact {}, chunk {chunk} of 3: ", artifact.id);
        assert!(
            errors.iter().all(|error| error.starts_with(&name)),
            "{errors:?}"
        );
        named.push(chunk);
    }
    named.sort_unstable();
    assert_eq!(named, [1, 2, 3]);
    assert_eq!(bed.read(artifact).unwrap(), bytes);
}

#[test]
fn a_record_that_lies_about_its_file_does_not_open_it() {
    let bed = Bed::new();
    let (one, two) = (bed.put(&content(100)), bed.put(&content(101)));
    for lie in [
        Artifact { size: 101, ..one },
        Artifact {
            size: MIB as u64 * 2,
            ..one
        },
        Artifact {
            digest: two.digest,
            ..one
        },
        Artifact { id: two.id, ..one },
    ] {
        bed.read(lie).unwrap_err();
    }
    let huge = Artifact {
        size: u64::MAX,
        ..one
    };
    let error = bed
        .store
        .artifact_reader(huge)
        .unwrap()
        .read_all(1 << 20)
        .unwrap_err();
    assert_eq!(error.code().id, "state.io");
}

#[test]
fn what_no_entry_names_is_swept_and_what_one_names_is_kept() {
    let bed = Bed::new();
    let mut dropped = bed.store.artifact_writer(SubjectId::SYSTEM).unwrap();
    dropped.write(&content(2 * MIB)).unwrap();
    assert_eq!(bed.files().len(), 1);
    drop(dropped);
    assert_eq!(bed.files().len(), 0);

    let (kept, unnamed) = (bed.put(&content(MIB + 1)), bed.put(&content(10)));
    let name = "w".to_owned();
    bed.store
        .commit(Entry::WorkflowAdded {
            name,
            bundle: kept,
            by: "ada".into(),
        })
        .unwrap();
    let tenant = state_bed::spec(1).tenant;
    let mut upload = bed.store.upload_writer(tenant).unwrap();
    upload.write(b"an invoice").unwrap();
    let upload = upload.finish().unwrap();
    let entry = Entry::InputStored {
        artifact: upload,
        name: "a.pdf".into(),
        media: "application/pdf".into(),
        by: "ada".into(),
    };
    bed.store.commit(entry).unwrap();
    assert_eq!(bed.files().len(), 4);
    let Bed { dir, store } = bed;
    store.close().unwrap();
    drop(store);
    let (store, report) = open(dir.path(), &Tpm::default()).unwrap();
    let bed = Bed { dir, store };
    assert_eq!((report.swept, bed.files().len()), (1, 3));
    assert_eq!(bed.read(kept).unwrap(), content(MIB + 1));
    assert_eq!(bed.read(upload).unwrap(), b"an invoice");
    bed.read(unnamed).unwrap_err();
}
