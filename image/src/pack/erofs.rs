//! From a directory to a measured data file: erofs, padding, verity tree.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path;

use crate::digest;
use crate::error::BuildError;
use crate::pack::manifest::{BLOCK, Identity, Measured};
use crate::tool::Tool;

/// Writes `tree` as an erofs with its hash tree to `out` (docs/formats/pack.md).
///
/// Extended attributes are left out: nothing in a pack may carry a capability.
///
/// # Errors
/// `Tool` when mkfs.erofs or veritysetup fails, `File` when a file does.
pub(crate) fn write(
    tree: &Path,
    out: &Path,
    identity: &Identity,
    epoch: u64,
) -> Result<Measured, BuildError> {
    let (erofs_uuid, verity_uuid) = identity.uuids();
    let _ = std::fs::remove_file(out);
    Tool::new("mkfs.erofs")
        .arg("-zlz4hc")
        .arg(format!("-T{epoch}"))
        .arg(format!("-U{erofs_uuid}"))
        .arg("-x-1")
        .arg("--quiet")
        .arg(out)
        .arg(tree)
        .run()?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(out)
        .map_err(BuildError::file("open", out))?;
    let written = file
        .metadata()
        .map_err(BuildError::file("read", out))?
        .len();
    let data_size = written.next_multiple_of(BLOCK);
    file.set_len(data_size)
        .map_err(BuildError::file("write", out))?;
    let root = append_verity(out, &file, data_size, identity, &verity_uuid)?;
    file.sync_all().map_err(BuildError::file("write", out))?;
    let file_size = file
        .metadata()
        .map_err(BuildError::file("read", out))?
        .len();
    Ok(Measured {
        data_size,
        file_size,
        verity_root: root,
        sha256: digest::of_file(out)?,
    })
}

fn append_verity(
    out: &Path,
    file: &File,
    data_size: u64,
    identity: &Identity,
    uuid: &str,
) -> Result<digest::Sha, BuildError> {
    let hashes = out.with_extension("verity");
    let _ = std::fs::remove_file(&hashes);
    let printed = Tool::new("/usr/sbin/veritysetup")
        .args(["format", "--hash=sha256", "--format=1"])
        .arg(format!("--data-block-size={BLOCK}"))
        .arg(format!("--hash-block-size={BLOCK}"))
        .arg(format!("--data-blocks={}", data_size / BLOCK))
        .arg(format!("--salt={}", hex::encode(identity.salt())))
        .arg(format!("--uuid={uuid}"))
        .arg(out)
        .arg(&hashes)
        .output()?;
    let root = root_hash(&String::from_utf8_lossy(&printed)).ok_or_else(|| BuildError::Tool {
        program: "veritysetup".into(),
        why: "printed no root hash".into(),
    })?;
    let mut source = File::open(&hashes).map_err(BuildError::file("read", &hashes))?;
    let mut target = file;
    target
        .seek(SeekFrom::Start(data_size))
        .map_err(BuildError::file("write", out))?;
    std::io::copy(&mut source, &mut target).map_err(BuildError::file("write", out))?;
    std::fs::remove_file(&hashes).map_err(BuildError::file("remove", &hashes))?;
    Ok(root)
}

fn root_hash(printed: &str) -> Option<digest::Sha> {
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix("Root hash:"))?;
    hex::decode(line.trim()).ok()?.try_into().ok()
}
