//! PE images as UEFI firmware reads them: sections, and the Authenticode digest that is measured.
//!
//! Own reader, strict and bounded by the file: PE32+ only (what 64-bit firmware loads), every
//! range inside the file, no section twice over the same bytes, certificates at the very end. A
//! file that two loaders could read in two ways is refused.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// The most sections an image may have.
const MAX_SECTIONS: usize = 96;
const SECTION_HEADER: usize = 40;
/// The certificate table's entry in the data directories.
const CERTIFICATES: usize = 4;

/// Why bytes are no such image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a PE32+ image: {0}")]
pub struct PeError(String);

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeImage<'b> {
    bytes: &'b [u8],
    /// Where the checksum stands.
    checksum: usize,
    /// Where the certificate table's data directory stands.
    directory: usize,
    headers: usize,
    sections: Vec<Section<'b>>,
    certificates: &'b [u8],
}

/// A section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'b> {
    /// Its name without the zeros behind it.
    pub name: &'b [u8],
    /// Its size in memory, in bytes.
    pub virtual_size: usize,
    /// Where its bytes stand in the file.
    offset: usize,
    raw: &'b [u8],
}

fn wrong<T>(reason: impl Into<String>) -> Result<T, PeError> {
    Err(PeError(reason.into()))
}

/// Little-endian numbers of a header.
struct Header<'b>(&'b [u8]);

impl Header<'_> {
    fn u16(&self, at: usize) -> Result<usize, PeError> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk::<2>());
        bytes.map_or_else(
            || wrong(format!("it ends before byte {at}")),
            |bytes| Ok(usize::from(u16::from_le_bytes(*bytes))),
        )
    }

    fn u32(&self, at: usize) -> Result<usize, PeError> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk::<4>());
        let number = bytes.map(|bytes| usize::try_from(u32::from_le_bytes(*bytes)));
        match number {
            Some(Ok(number)) => Ok(number),
            _ => wrong(format!("it ends before byte {at}")),
        }
    }
}

impl<'b> PeImage<'b> {
    /// Reads an image.
    ///
    /// # Errors
    /// [`PeError`] with what is wrong.
    pub fn read(bytes: &'b [u8]) -> Result<Self, PeError> {
        let header = Header(bytes);
        if !bytes.starts_with(b"MZ") {
            return wrong("it does not begin with MZ");
        }
        let coff = header.u32(0x3c)?;
        let signature = bytes.get(coff..).and_then(|rest| rest.first_chunk::<4>());
        if signature != Some(b"PE\0\0") {
            return wrong("no PE signature where the header says");
        }
        // All offsets below are of a file that is in memory: they are far from overflowing.
        let optional = coff.saturating_add(24);
        if header.u16(optional)? != 0x020b {
            return wrong("its optional header is not that of PE32+");
        }
        let (count, optional_size) = (
            header.u16(coff.saturating_add(6))?,
            header.u16(coff.saturating_add(20))?,
        );
        let directories = header.u32(optional.saturating_add(108))?;
        let needed = directories.saturating_mul(8).saturating_add(112);
        if directories <= CERTIFICATES || directories > 16 || optional_size != needed {
            return wrong("its optional header is of another size than its directories take");
        }
        let table = optional.saturating_add(optional_size);
        let headers = header.u32(optional.saturating_add(60))?;
        let table_end = table.saturating_add(count.saturating_mul(SECTION_HEADER));
        if count == 0 || count > MAX_SECTIONS || headers < table_end || headers > bytes.len() {
            return wrong("its headers are of another size than they say");
        }
        let directory = optional
            .saturating_add(112)
            .saturating_add(CERTIFICATES * 8);
        let mut image = Self {
            bytes,
            checksum: optional.saturating_add(64),
            directory,
            headers,
            sections: Vec::with_capacity(count),
            certificates: &[],
        };
        for index in 0..count {
            let at = table.saturating_add(index.saturating_mul(SECTION_HEADER));
            image.sections.push(Section::read(bytes, at)?);
        }
        image.check_layout()?;
        Ok(image)
    }

    /// No byte of the file belongs to two things, and the certificates come last.
    fn check_layout(&mut self) -> Result<(), PeError> {
        let mut end = self.headers;
        for section in self.by_place() {
            if section.offset < end {
                return wrong("a section lies over the headers or another section");
            }
            end = section.offset.saturating_add(section.raw.len());
        }
        let header = Header(self.bytes);
        let (at, size) = (
            header.u32(self.directory)?,
            header.u32(self.directory.saturating_add(4))?,
        );
        if size == 0 && at == 0 {
            return Ok(());
        }
        if at < end || at.checked_add(size) != Some(self.bytes.len()) {
            return wrong("its certificates are not at its end");
        }
        self.certificates = self.bytes.get(at..).unwrap_or_default();
        Ok(())
    }

    /// The sections that have bytes in the file, by their place in it.
    fn by_place(&self) -> Vec<Section<'b>> {
        let mut sections: Vec<Section<'b>> = self.sections.clone();
        sections.retain(|section| !section.raw.is_empty());
        sections.sort_by_key(|section| section.offset);
        sections
    }

    /// The sections, in the order of their headers.
    #[must_use]
    pub fn sections(&self) -> &[Section<'b>] {
        &self.sections
    }

    /// The section of this name, when there is exactly one.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section<'b>> {
        let mut named = self.sections.iter().filter(|s| s.name == name.as_bytes());
        let found = named.next()?;
        named.next().is_none().then_some(found)
    }

    /// The `WIN_CERTIFICATE`s at the end; empty for an unsigned image.
    #[must_use]
    pub const fn certificates(&self) -> &'b [u8] {
        self.certificates
    }

    /// The SHA-256 Authenticode digest (Microsoft, "Windows Authenticode Portable Executable
    /// Signature Format", "Calculating the PE Image Hash"): what a signature is over, and what
    /// firmware measures (PC Client PFP 1.06, section 3.3.4.5).
    #[must_use]
    pub fn authenticode(&self) -> Digest {
        let part = |from: usize, to: usize| self.bytes.get(from..to).unwrap_or_default();
        let mut hash = Sha256::new();
        // The headers, without the checksum and the certificate table's directory.
        hash.update(part(0, self.checksum));
        hash.update(part(self.checksum.saturating_add(4), self.directory));
        hash.update(part(self.directory.saturating_add(8), self.headers));
        let mut hashed = self.headers;
        for section in self.by_place() {
            hash.update(section.raw);
            hashed = hashed.saturating_add(section.raw.len());
        }
        // As the firmware does it, what is left is counted, not located.
        let end = self.bytes.len().saturating_sub(self.certificates.len());
        hash.update(part(hashed, end));
        Digest::new(hash.finalize().into())
    }
}

impl<'b> Section<'b> {
    fn read(bytes: &'b [u8], at: usize) -> Result<Self, PeError> {
        let header = Header(bytes);
        let field = |offset: usize| header.u32(at.saturating_add(offset));
        let name = bytes.get(at..at.saturating_add(8)).unwrap_or_default();
        let len = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len());
        let (name, zeros) = name.split_at_checked(len).unwrap_or_default();
        if zeros.iter().any(|byte| *byte != 0) {
            return wrong("a section's name goes on behind its end");
        }
        let (virtual_size, size, offset) = (field(8)?, field(16)?, field(20)?);
        let raw = match size {
            0 => Some(&[][..]),
            _ => bytes.get(offset..offset.saturating_add(size)),
        };
        let Some(raw) = raw else {
            return wrong("a section lies outside the file");
        };
        Ok(Self {
            name,
            virtual_size,
            offset,
            raw,
        })
    }

    /// What the section holds in memory, which is what systemd-stub measures: as many bytes as
    /// its size in memory, zeros where the file has none.
    ///
    /// # Errors
    /// [`PeError`] when the memory would be larger than the file and a page: nothing in a build
    /// of ours is, and a size that is only claimed is not reserved.
    pub fn content(&self) -> Result<Vec<u8>, PeError> {
        const PAGE: usize = 0x10000;
        if self.virtual_size > self.raw.len().saturating_add(PAGE) {
            return wrong("a section is much larger in memory than in the file");
        }
        let taken = self.raw.get(..self.virtual_size).unwrap_or(self.raw);
        let mut content = taken.to_vec();
        content.resize(self.virtual_size, 0);
        Ok(content)
    }
}
