//! Reading folders: a workflow's, and one of documents.

use std::fs;
use std::path::{Path, PathBuf};

use casemate_protocol::bundle::Bundle;
use casemate_protocol::source::{DECLARATION, MAX_BYTES, MAX_FILES};

use super::exit::Exit;
use super::failure::Failure;

/// Reads a workflow's folder into a bundle. Links are not followed and hidden
/// files are left out.
pub(super) fn read(what: &str, folder: &Path) -> Result<Bundle, Failure> {
    let declaration = fs::read_to_string(folder.join(DECLARATION)).map_err(|e| {
        Failure::file(
            format!("{what}: reading {}", folder.join(DECLARATION).display()),
            &e,
        )
    })?;
    let mut files = Vec::new();
    let mut left = MAX_BYTES;
    collect(what, folder, "", &mut files, &mut left)?;
    Bundle::from_source(&declaration, files)
        .map_err(|e| Failure::new(what, e.to_string(), e.code(), Exit::Usage))
}

fn collect(
    what: &str,
    folder: &Path,
    prefix: &str,
    files: &mut Vec<(String, Vec<u8>)>,
    left: &mut usize,
) -> Result<(), Failure> {
    let failed = |path: &Path, e: &std::io::Error| {
        Failure::file(format!("{what}: reading {}", path.display()), e)
    };
    for entry in sorted(folder).map_err(|e| failed(folder, &e))? {
        let Some(name) = entry
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned)
        else {
            return Err(too(
                what,
                format!("{} is not named in UTF-8", entry.display()),
            ));
        };
        let relative = format!("{prefix}{name}");
        if name.starts_with('.') || relative == DECLARATION {
            continue;
        }
        let kind = fs::symlink_metadata(&entry).map_err(|e| failed(&entry, &e))?;
        if kind.is_dir() {
            collect(what, &entry, &format!("{relative}/"), files, left)?;
            continue;
        }
        if !kind.is_file() {
            return Err(too(
                what,
                format!("{} is not a plain file", entry.display()),
            ));
        }
        let size = usize::try_from(kind.len()).unwrap_or(usize::MAX);
        *left = left
            .checked_sub(size)
            .filter(|_| files.len() < MAX_FILES)
            .ok_or_else(|| {
                too(
                    what,
                    format!("more than {MAX_FILES} files or {MAX_BYTES} bytes"),
                )
            })?;
        files.push((relative, fs::read(&entry).map_err(|e| failed(&entry, &e))?));
    }
    Ok(())
}

/// The plain files right in a folder, by name; hidden ones are left out.
pub(super) fn documents(what: &str, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |e: std::io::Error| Failure::file(format!("{what}: {}", folder.display()), &e);
    let mut documents = Vec::new();
    for path in sorted(folder).map_err(failed)? {
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && fs::symlink_metadata(&path).map_err(failed)?.is_file() {
            documents.push(path);
        }
    }
    Ok(documents)
}

fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    Ok(entries)
}

fn too(what: &str, why: String) -> Failure {
    Failure::new(
        what,
        why,
        &casemate_protocol::code::WORKFLOW_FILES,
        Exit::Usage,
    )
}
