//! A stretch of a file: what every layer is made of.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::BuildError;

/// The largest content that is read into memory whole.
const MOST: u64 = 1 << 30;
const BLOCK: usize = 1 << 20;

/// What a content is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Package,
    Cpio,
    Vmdk,
    Disk,
    Fat,
    Erofs,
    Pe,
    Zstd,
    Text,
    Bytes,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Package => "a tar archive",
            Self::Cpio => "a cpio archive",
            Self::Vmdk => "a VMDK",
            Self::Disk => "a disk with partitions",
            Self::Fat => "a FAT file system",
            Self::Erofs => "an erofs",
            Self::Pe => "a PE image",
            Self::Zstd => "zstd-compressed",
            Self::Text => "a text",
            Self::Bytes => "bytes of no known form",
        })
    }
}

/// A stretch of a file.
#[derive(Debug, Clone)]
pub(super) struct Content {
    file: Rc<File>,
    offset: u64,
    /// Its length in bytes.
    pub(super) size: u64,
}

impl Content {
    /// A whole file.
    pub(super) fn open(path: &Path) -> Result<Self, BuildError> {
        let file = File::open(path).map_err(BuildError::file("read", path))?;
        Self::of(file).map_err(BuildError::file("read", path))
    }

    /// A whole file that is open, which may have no name.
    pub(super) fn of(file: File) -> std::io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self {
            file: Rc::new(file),
            offset: 0,
            size,
        })
    }

    /// Bytes that stood in no file.
    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Self, BuildError> {
        use std::io::Write as _;
        let made = tempfile::tempfile().and_then(|mut file| {
            file.write_all(bytes)?;
            Self::of(file)
        });
        made.map_err(BuildError::file("write", Path::new("a scratch file")))
    }

    /// A stretch of it, cut off at its end.
    pub(super) fn part(&self, offset: u64, size: u64) -> Self {
        let offset = offset.min(self.size);
        Self {
            file: Rc::clone(&self.file),
            offset: self.offset.saturating_add(offset),
            size: size.min(self.size - offset),
        }
    }

    /// The file that it is a stretch of, and where in it.
    pub(super) fn file(&self) -> (&File, u64) {
        (&self.file, self.offset)
    }

    /// The file's name for another process, while this one holds it open.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.file.as_raw_fd()
        ))
    }

    /// Bytes from `at` on, as many as there are.
    pub(super) fn read(&self, at: u64, buffer: &mut [u8]) -> Result<usize, BuildError> {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let wanted = buffer.get_mut(..length).unwrap_or_default();
        self.file
            .read_exact_at(wanted, self.offset.saturating_add(at))
            .map_err(BuildError::file("read", &self.path()))?;
        Ok(length)
    }

    /// All of it.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, BuildError> {
        if self.size > MOST {
            let why = std::io::Error::other("more than 1 GiB in one piece");
            return Err(BuildError::file("read", &self.path())(why));
        }
        let mut bytes = vec![0; usize::try_from(self.size).unwrap_or_default()];
        self.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// A copy as a file of its own.
    pub(super) fn copied(&self) -> Result<Self, BuildError> {
        let copy = || {
            let mut file = self.file.try_clone()?;
            file.seek(SeekFrom::Start(self.offset))?;
            let mut out = tempfile::tempfile()?;
            std::io::copy(&mut BufReader::new(file).take(self.size), &mut out)?;
            Self::of(out)
        };
        copy().map_err(BuildError::file("copy", &self.path()))
    }

    /// The first byte that differs; where the shorter ends, if it begins the longer.
    pub(super) fn first_difference(&self, other: &Self) -> Result<Option<u64>, BuildError> {
        let (mut a, mut b) = (vec![0; BLOCK], vec![0; BLOCK]);
        let mut at = 0u64;
        loop {
            let (n, m) = (self.read(at, &mut a)?, other.read(at, &mut b)?);
            let (left, right) = (
                a.get(..n).unwrap_or_default(),
                b.get(..m).unwrap_or_default(),
            );
            if left != right {
                let same = left.iter().zip(right).take_while(|(x, y)| x == y).count();
                return Ok(Some(at + u64::try_from(same).unwrap_or_default()));
            }
            if n == 0 {
                return Ok(None);
            }
            at += u64::try_from(n).unwrap_or_default();
        }
    }

    /// A few bytes from `at` on, in hex.
    pub(super) fn excerpt(&self, at: u64) -> Result<String, BuildError> {
        let mut bytes = [0; 8];
        match self.read(at, &mut bytes)? {
            0 => Ok("nothing".to_owned()),
            n => Ok(hex::encode(bytes.get(..n).unwrap_or_default())),
        }
    }

    /// What it is.
    pub(super) fn form(&self) -> Result<Form, BuildError> {
        let mut head = [0; 4096];
        let n = self.read(0, &mut head)?;
        let head = head.get(..n).unwrap_or_default();
        let is =
            |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
        let known = [
            (Form::Vmdk, 0, b"KDMV".as_slice()),
            (Form::Package, 257, b"ustar"),
            (Form::Cpio, 0, b"070701"),
            (Form::Zstd, 0, &[0x28, 0xb5, 0x2f, 0xfd]),
            (Form::Disk, 512, b"EFI PART"),
            (Form::Erofs, 1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
            (Form::Fat, 82, b"FAT32   "),
            (Form::Fat, 54, b"FAT"),
            (Form::Pe, 0, b"MZ"),
        ];
        for (form, at, magic) in known {
            if is(at, magic) {
                return Ok(form);
            }
        }
        let text = !head.contains(&0)
            && self.size < MOST
            && std::str::from_utf8(head).map_or_else(
                // A character that the end of the excerpt cut is none the less text.
                |error| error.error_len().is_none(),
                |_| true,
            );
        Ok(if text { Form::Text } else { Form::Bytes })
    }
}
