//! Reading and writing files, with a limit and a plain word when it fails.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use casemate_attest::code;
use casemate_attest::report::printable;

use crate::failure::{Exit, Failure};

/// A file's name as it may be shown.
pub(crate) fn name(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// Reads a whole file of at most `max` bytes.
pub(crate) fn read(path: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    let what = format!("cannot read {}", path.display());
    let failed =
        |why: io::Error| Failure::new(Exit::Malformed, &code::FILE_UNREADABLE, what.clone(), why);
    let file = File::open(path).map_err(failed)?;
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > max {
        let why = format!("more than {max} bytes");
        return Err(Failure::new(
            Exit::Malformed,
            &code::FORMAT_TOO_LARGE,
            what,
            why,
        ));
    }
    Ok(bytes)
}

/// The regular files of a folder in the order of their names, and of the folders in it when
/// `deep`. Links are not followed.
pub(crate) fn below(folder: &Path, deep: bool) -> Result<Vec<PathBuf>, Failure> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let failed = |why: io::Error| {
            let what = format!("cannot read {}", name(&folder));
            Failure::new(Exit::Malformed, &code::FILE_UNREADABLE, what, why)
        };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_file() {
                files.push(entry.path());
            } else if kind.is_dir() && deep {
                folders.push(entry.path());
            }
        }
    }
    files.sort();
    if files.is_empty() {
        let what = format!("cannot read {}", name(folder));
        return Err(Failure::new(
            Exit::Malformed,
            &code::FILE_UNREADABLE,
            what,
            "no file is in it",
        ));
    }
    Ok(files)
}

/// Writes a new file. A file that is there already is not touched.
pub(crate) fn write_new(path: &Path, bytes: &[u8], private: bool) -> Result<(), Failure> {
    let failed = |why: io::Error| {
        let what = format!("cannot write {}", path.display());
        Failure::new(Exit::Malformed, &code::FILE_UNWRITABLE, what, why)
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if private {
        restrict(&mut options);
    }
    let mut file = options.open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a file is worse than none; it was made by us a moment ago.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions) {}

/// Says something on standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|why| {
            Failure::new(
                Exit::Internal,
                &code::FILE_UNWRITABLE,
                "cannot write the output",
                why,
            )
        })
}
