//! The unified kernel image: systemd's stub with our sections, laid out at 4 KiB, signed.
//!
//! Sections are aligned so in the file and in memory: with less, OVMF does not protect the
//! image's pages and refuses it under Secure Boot. Time stamp and checksum are zero, and the
//! signature's time is given, so that the same inputs make the same file.

pub(crate) mod command_line;

use std::path::Path;

use crate::error::BuildError;
use crate::tool::Tool;

const ALIGN: usize = 0x1000;
const SECTION_HEADER: usize = 40;
/// Initialised data, readable.
const DATA: [u8; 4] = 0x4000_0040u32.to_le_bytes();

struct Section {
    name: [u8; 8],
    address: usize,
    size: usize,
    characteristics: [u8; 4],
    content: Vec<u8>,
}

/// Where things stand in a PE32+ file's headers.
struct Headers {
    coff: usize,
    optional: usize,
    table: usize,
}

/// The stub with `added` sections behind its own, laid out anew.
///
/// # Errors
/// A sentence when the stub is not a PE32+ file of the expected form.
pub(crate) fn build(stub: &[u8], added: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, String> {
    let short = || "the stub is not a PE32+ file".to_owned();
    let headers = Headers::of(stub).ok_or_else(short)?;
    let mut sections = headers.sections(stub).ok_or_else(short)?;
    let mut free = 0;
    for section in &mut sections {
        // The stub may pack two small sections into one page; nothing refers to the second.
        section.address = section.address.next_multiple_of(ALIGN).max(free);
        free = (section.address + section.size).next_multiple_of(ALIGN);
    }
    for (name, content) in added {
        let mut label = [0; 8];
        for (slot, byte) in label.iter_mut().zip(name.bytes()) {
            *slot = byte;
        }
        sections.push(Section {
            name: label,
            address: free,
            size: content.len(),
            characteristics: DATA,
            content: content.clone(),
        });
        free = (free + content.len()).next_multiple_of(ALIGN);
    }
    let head = headers
        .rewritten(stub, sections.len(), free)
        .ok_or_else(short)?;
    lay_out(head, &sections)
}

fn lay_out(mut out: Vec<u8>, sections: &[Section]) -> Result<Vec<u8>, String> {
    let mut body: Vec<u8> = Vec::new();
    for section in sections {
        let raw = section.content.len().next_multiple_of(ALIGN);
        out.extend(section.name);
        for value in [section.size, section.address, raw, ALIGN + body.len()] {
            out.extend(number(value));
        }
        out.extend([0; 12]);
        out.extend(section.characteristics);
        body.extend(&section.content);
        body.resize(body.len().next_multiple_of(ALIGN), 0);
    }
    if out.len() > ALIGN {
        return Err("the headers do not fit their page".to_owned());
    }
    out.resize(ALIGN, 0);
    out.extend(body);
    Ok(out)
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

impl Headers {
    fn of(pe: &[u8]) -> Option<Self> {
        let coff = u32_at(pe, 0x3c)?;
        let optional = coff.checked_add(24)?;
        let magic = pe.get(coff..coff.checked_add(4)?)? == b"PE\0\0";
        (magic && u16_at(pe, optional)? == 0x020b).then_some(())?;
        let table = optional.checked_add(u16_at(pe, coff + 20)?)?;
        Some(Self {
            coff,
            optional,
            table,
        })
    }

    fn sections(&self, pe: &[u8]) -> Option<Vec<Section>> {
        (0..u16_at(pe, self.coff + 6)?)
            .map(|index| {
                let at = self.table + index * SECTION_HEADER;
                let (raw, place) = (u32_at(pe, at + 16)?, u32_at(pe, at + 20)?);
                Some(Section {
                    name: pe.get(at..at + 8)?.try_into().ok()?,
                    size: u32_at(pe, at + 8)?,
                    address: u32_at(pe, at + 12)?,
                    characteristics: pe.get(at + 36..at + 40)?.try_into().ok()?,
                    content: pe.get(place..place.checked_add(raw)?)?.to_vec(),
                })
            })
            .collect()
    }

    /// Everything before the section table, for so many sections and this size in memory.
    fn rewritten(&self, stub: &[u8], count: usize, size: usize) -> Option<Vec<u8>> {
        let mut out = stub.get(..self.table)?.to_vec();
        let mut put = |at: usize, bytes: &[u8]| {
            out.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
            Some(())
        };
        put(self.coff + 6, &u16::try_from(count).ok()?.to_le_bytes())?;
        put(self.coff + 8, &[0; 4])?; // time stamp
        put(self.optional + 32, &number(ALIGN))?; // section alignment
        put(self.optional + 36, &number(ALIGN))?; // file alignment
        put(self.optional + 56, &number(size))?;
        put(self.optional + 60, &number(ALIGN))?; // size of headers
        put(self.optional + 64, &[0; 4])?; // checksum
        Some(out)
    }
}

/// Signs a PE file with the db key. The time is a fixed one, and the padding of RSA's version 1.5
/// is not random: the same file comes out each time.
///
/// # Errors
/// `Tool` when osslsigncode fails.
pub(crate) fn sign(
    from: &Path,
    to: &Path,
    key: &Path,
    certificate: &Path,
    epoch: u64,
) -> Result<(), BuildError> {
    let _old = std::fs::remove_file(to);
    Tool::new("osslsigncode")
        .args(["sign", "-h", "sha256", "-time"])
        .arg(epoch.to_string())
        .arg("-certs")
        .arg(certificate)
        .arg("-key")
        .arg(key)
        .arg("-in")
        .arg(from)
        .arg("-out")
        .arg(to)
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_attest::predict::PeImage;

    /// A PE32+ file of one section, smaller than its page, as the stub's last ones are.
    fn stub() -> Vec<u8> {
        let mut pe = vec![0; 0x200];
        pe[..2].copy_from_slice(b"MZ");
        pe[0x3c] = 0x40;
        pe[0x40..0x44].copy_from_slice(b"PE\0\0");
        pe[0x44..0x46].copy_from_slice(&0x8664u16.to_le_bytes());
        pe[0x46] = 1;
        pe[0x48..0x4c].copy_from_slice(&[1, 2, 3, 4]); // a time stamp
        pe[0x54..0x56].copy_from_slice(&240u16.to_le_bytes());
        pe[0x58..0x5a].copy_from_slice(&0x020bu16.to_le_bytes());
        pe[0x58 + 108] = 16; // data directories
        let table = 0x58 + 240;
        pe[table..table + 5].copy_from_slice(b".text");
        pe[table + 8] = 16;
        pe[table + 12..table + 16].copy_from_slice(&0x1000u32.to_le_bytes());
        pe[table + 16] = 16;
        pe[table + 20..table + 24].copy_from_slice(&0x1f0u32.to_le_bytes());
        pe
    }

    #[test]
    fn every_section_begins_at_a_page_and_nothing_tells_the_time() {
        let added = [(".cmdline", b"ro".to_vec()), (".linux", vec![7; 5000])];
        let uki = build(&stub(), &added).unwrap();
        let image = PeImage::read(&uki).unwrap();
        let names: Vec<&[u8]> = image.sections().iter().map(|s| s.name).collect();
        assert_eq!(names, [&b".text"[..], b".cmdline", b".linux"]);
        let linux = image.section(".linux").unwrap();
        assert_eq!(*linux.content().unwrap(), vec![7; 5000]);
        assert_eq!(uki[0x48..0x4c], [0; 4]);
        assert_eq!(uki.len() % ALIGN, 0);
    }

    #[test]
    fn a_damaged_stub_is_refused() {
        let stub = stub();
        for length in 0..stub.len() {
            assert!(build(&stub[..length], &[]).is_err(), "{length}");
        }
    }
}
