//! The dm-verity hash tree, computed from the data (hash type 1, SHA-256,
//! 4,096-byte blocks; docs/formats/pack.md).
//!
//! The tree that stands in the file is not read: the kernel's device-mapper uses
//! it, we only need the root that it must have.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

const BLOCK: usize = 4096;
/// Digests in a hash block.
const FAN: usize = BLOCK / 32;
/// Blocks read at once.
const STRIDE: u64 = 256;

/// A SHA-256 digest.
type Hash = [u8; 32];

/// The root over the first `data_size` bytes of `file`, a multiple of the block.
///
/// # Errors
/// If the file cannot be read that far.
pub fn root(file: &File, data_size: u64, salt: &Hash) -> io::Result<Hash> {
    let blocks = data_size / 4096;
    let half = blocks / 2;
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(move || leaves(file, 0, half, salt));
        let second = leaves(file, half, blocks, salt);
        (first.join(), second)
    });
    let mut level = first.map_err(|_| io::Error::other("a reader ended"))??;
    level.extend(second?);
    loop {
        level = level
            .chunks(FAN)
            .map(|digests| over_block(digests, salt))
            .collect();
        match level.as_slice() {
            [root] => return Ok(*root),
            [] => return Err(io::Error::other("no data")),
            _ => {}
        }
    }
}

/// Digests of the data blocks `from..to`.
fn leaves(file: &File, from: u64, to: u64, salt: &Hash) -> io::Result<Vec<Hash>> {
    let mut digests = Vec::new();
    let mut buffer = vec![0; BLOCK * 256];
    let mut next = from;
    while next < to {
        let count = STRIDE.min(to - next);
        let length = usize::try_from(count * 4096).map_err(io::Error::other)?;
        let part = buffer
            .get_mut(..length)
            .ok_or_else(|| io::Error::other("stride"))?;
        file.read_exact_at(part, next * 4096)?;
        digests.extend(part.chunks_exact(BLOCK).map(|block| digest(&[block], salt)));
        next += count;
    }
    Ok(digests)
}

/// The digest of a hash block: digests in order, zeros after the last.
fn over_block(digests: &[Hash], salt: &Hash) -> Hash {
    let zeros = vec![0; BLOCK - digests.len() * 32];
    digest(&[digests.as_flattened(), &zeros], salt)
}

fn digest(parts: &[&[u8]], salt: &Hash) -> Hash {
    let mut hasher = Sha256::new_with_prefix(salt);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(blocks: usize) -> File {
        let path =
            std::env::temp_dir().join(format!("casemate-verity-{}-{blocks}", std::process::id()));
        let mut file = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(path).unwrap();
        for block in 0..blocks {
            file.write_all(&[u8::try_from(block % 251).unwrap(); BLOCK])
                .unwrap();
        }
        file
    }

    /// Roots by `veritysetup format --salt=0707.. DATA HASH` (cryptsetup 2.6.1) over
    /// blocks filled with their number modulo 251. (For a single block veritysetup
    /// makes no level where our format has one; no pack is that small.)
    #[test]
    fn roots_equal_those_of_veritysetup() {
        for (blocks, expected) in [
            (
                2,
                "aec5d7e4d5635e14081a843afced150cd4b7600d6db20a4485647e93a2cb46a0",
            ),
            (
                128,
                "b42c824ef787a446a7473b6f23f609c41b4810182f600c784a489481f2af4ab0",
            ),
            (
                129,
                "6a6639a88083454395c2e0f5715ca85ce7f674f633fa5cc56336f9c015a9ed73",
            ),
            (
                20000,
                "d9346e66a7abef096d145b94dbdb59201bfb20020420beb59fd58fc4e4f53bdf",
            ),
        ] {
            let size = blocks as u64 * 4096;
            let found = root(&file(blocks), size, &[7; 32]).unwrap();
            assert_eq!(hex::encode(found), expected, "{blocks} blocks");
        }
    }

    #[test]
    fn a_short_file_is_an_error_and_a_changed_bit_another_root() {
        let good = file(300);
        let expected = root(&good, 300 * 4096, &[7; 32]).unwrap();
        assert!(root(&good, 301 * 4096, &[7; 32]).is_err());
        assert!(root(&good, 0, &[7; 32]).is_err());
        good.write_all_at(&[255], 299 * 4096 + 77).unwrap();
        assert_ne!(root(&good, 300 * 4096, &[7; 32]).unwrap(), expected);
    }
}
