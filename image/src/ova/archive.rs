//! The archive around the package: POSIX ustar (IEEE 1003.1, pax, "ustar Interchange Format").
//!
//! Everything that could differ between two builders is fixed: owner 0, no names, mode 0644, the
//! release's time. Read strictly, for `image diff`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

const BLOCK: usize = 512;
/// tar writes in records of twenty blocks, and so do we: some readers want a whole record.
const RECORD: u64 = 10_240;
/// What eleven octal digits can say.
const LARGEST: u64 = 0o77_777_777_777;

/// An archive under way.
#[derive(Debug)]
pub struct Archive<W> {
    out: W,
    epoch: u64,
    written: u64,
}

impl<W: Write> Archive<W> {
    /// An empty archive whose members are all of one time.
    pub fn new(out: W, epoch: u64) -> Self {
        Self {
            out,
            epoch,
            written: 0,
        }
    }

    /// Adds a file of exactly `size` bytes.
    ///
    /// # Errors
    /// `InvalidInput` for a name longer than 100 bytes or a file of 8 GiB and more; those of
    /// reading and writing.
    pub fn add(&mut self, name: &str, size: u64, mut content: impl Read) -> io::Result<()> {
        let head = header(name, size, self.epoch)?;
        self.put(&head)?;
        let copied = io::copy(&mut (&mut content).take(size), &mut self.out)?;
        if copied != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.written += size;
        let block = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        self.zeros(size.next_multiple_of(block) - size)
    }

    /// Writes the end.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.zeros(1024)?;
        self.zeros(self.written.next_multiple_of(RECORD) - self.written)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.out.write_all(bytes)
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        self.written += count;
        io::copy(&mut io::repeat(0).take(count), &mut self.out).map(drop)
    }
}

fn header(name: &str, size: u64, epoch: u64) -> io::Result<[u8; BLOCK]> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if name.is_empty() || name.len() > 100 {
        return refuse(format!("{name}: a member's name has 1 to 100 bytes"));
    }
    if size > LARGEST || epoch > LARGEST {
        return refuse(format!(
            "{name}: 8 GiB and more do not fit into a ustar archive"
        ));
    }
    let fields: [(usize, String); 9] = [
        (0, name.to_owned()),
        (100, "0000644\0".to_owned()),
        (108, "0000000\0".to_owned()),
        (116, "0000000\0".to_owned()),
        (124, format!("{size:011o}\0")),
        (136, format!("{epoch:011o}\0")),
        (148, "        ".to_owned()), // the checksum counts its own field as spaces
        (156, "0".to_owned()),
        (257, "ustar\x0000".to_owned()),
    ];
    let mut block = [0; BLOCK];
    for (at, text) in &fields {
        place(&mut block, *at, text.as_bytes());
    }
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    place(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

fn place(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    for (to, from) in block.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

/// A member as it stands in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub size: u64,
    /// The rest of its header, in words: mode, owner, group, time.
    pub attributes: String,
}

/// Lists an archive of plain files. The content is not read.
///
/// # Errors
/// `InvalidData` when it is not one.
pub fn members(mut file: &File) -> io::Result<Vec<Member>> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let length = file.metadata()?.len();
    let mut at = 0u64;
    let mut out = Vec::new();
    loop {
        let mut block = [0; BLOCK];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(out);
        }
        let member = member(&block, at + 512).ok_or_else(|| wrong("not a ustar header"))?;
        at = member.offset + member.size.next_multiple_of(512);
        if at > length {
            return Err(wrong("a member ends behind the archive"));
        }
        out.push(member);
    }
}

fn member(block: &[u8; BLOCK], offset: u64) -> Option<Member> {
    let text = |from: usize, to: usize| {
        let field = block.get(from..to)?.split(|byte| *byte == 0).next()?;
        std::str::from_utf8(field).ok().map(str::trim)
    };
    let octal = |from, to| u64::from_str_radix(text(from, to)?, 8).ok();
    let mut blank = *block;
    place(&mut blank, 148, b"        ");
    let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
    let right = octal(148, 156)? == u64::from(sum) && text(257, 263)? == "ustar";
    if !right || !matches!(block.get(156)?, b'0' | 0) {
        return None;
    }
    Some(Member {
        name: text(0, 100)?.to_owned(),
        offset,
        size: octal(124, 136)?,
        attributes: format!(
            "mode {} owner {} group {} time {} names {:?} {:?}",
            text(100, 108)?,
            text(108, 116)?,
            text(116, 124)?,
            octal(136, 148)?,
            text(265, 297)?,
            text(297, 329)?
        ),
    })
}
