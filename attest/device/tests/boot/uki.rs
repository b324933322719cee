//! A unified kernel image: systemd's stub with the sections of a release, and its digest.

use sha2::{Digest as _, Sha256};

/// Sections and headers are aligned so in the file and in memory: with less, OVMF does not
/// protect the image's pages and refuses it under Secure Boot.
const ALIGN: usize = 0x1000;
const SECTION_HEADER: usize = 40;

fn u16_at(bytes: &[u8], at: usize) -> usize {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()).into()
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap().to_le_bytes()
}

struct Section {
    name: [u8; 8],
    address: usize,
    size: usize,
    characteristics: [u8; 4],
    content: Vec<u8>,
}

/// Where things stand in a PE32+ file's headers.
struct Headers {
    count: usize,
    optional: usize,
    table: usize,
}

impl Headers {
    fn of(pe: &[u8]) -> Self {
        let coff = u32_at(pe, 0x3c);
        assert_eq!(&pe[coff..coff + 4], b"PE\0\0");
        let optional = coff + 24;
        assert_eq!(u16_at(pe, optional), 0x020b);
        Self {
            count: coff + 6,
            optional,
            table: optional + u16_at(pe, coff + 20),
        }
    }

    fn sections(&self, pe: &[u8]) -> Vec<Section> {
        (0..u16_at(pe, self.count))
            .map(|index| {
                let at = self.table + index * SECTION_HEADER;
                let (raw, place) = (u32_at(pe, at + 16), u32_at(pe, at + 20));
                Section {
                    name: pe[at..at + 8].try_into().unwrap(),
                    address: u32_at(pe, at + 12),
                    size: u32_at(pe, at + 8),
                    characteristics: pe[at + 36..at + 40].try_into().unwrap(),
                    content: pe[place..place + raw].to_vec(),
                }
            })
            .collect()
    }
}

/// The stub with `added` sections behind its own, laid out anew at [`ALIGN`].
pub(crate) fn build(stub: &[u8], added: &[(&str, &[u8])]) -> Vec<u8> {
    let headers = Headers::of(stub);
    let mut sections = headers.sections(stub);
    let mut free = 0;
    for section in &mut sections {
        // The stub packs its last two sections into one page; nothing refers to the second.
        section.address = section.address.next_multiple_of(ALIGN).max(free);
        free = (section.address + section.size).next_multiple_of(ALIGN);
    }
    for (name, content) in added {
        let mut label = [0; 8];
        label[..name.len()].copy_from_slice(name.as_bytes());
        sections.push(Section {
            name: label,
            address: free,
            size: content.len(),
            characteristics: 0x4000_0040u32.to_le_bytes(),
            content: content.to_vec(),
        });
        free = (free + content.len()).next_multiple_of(ALIGN);
    }
    let mut out = stub[..headers.table].to_vec();
    let optional = headers.optional;
    let put = |out: &mut Vec<u8>, at: usize, value: usize| {
        out[at..at + 4].copy_from_slice(&number(value));
    };
    out[headers.count..headers.count + 2]
        .copy_from_slice(&u16::try_from(sections.len()).unwrap().to_le_bytes());
    put(&mut out, optional + 32, ALIGN);
    put(&mut out, optional + 36, ALIGN);
    put(&mut out, optional + 56, free);
    put(&mut out, optional + 60, ALIGN);
    put(&mut out, optional + 64, 0); // checksum
    let mut body = Vec::new();
    for section in &sections {
        let raw = section.content.len().next_multiple_of(ALIGN);
        out.extend(section.name);
        out.extend(number(section.size));
        out.extend(number(section.address));
        out.extend(number(raw));
        out.extend(number(ALIGN + body.len()));
        out.extend([0; 12]);
        out.extend(section.characteristics);
        body.extend(&section.content);
        body.resize(body.len().next_multiple_of(ALIGN), 0);
    }
    assert!(out.len() <= ALIGN, "the headers fit their page");
    out.resize(ALIGN, 0);
    out.extend(body);
    out
}

/// The Authenticode digest (Microsoft's PE signature format, "Calculating the PE image hash").
pub(crate) fn authenticode(pe: &[u8]) -> [u8; 32] {
    let headers = Headers::of(pe);
    let (checksum, certificates) = (headers.optional + 64, headers.optional + 144);
    let size = u32_at(pe, headers.optional + 60);
    let mut hash = Sha256::new();
    hash.update(&pe[..checksum]);
    hash.update(&pe[checksum + 4..certificates]);
    hash.update(&pe[certificates + 8..size]);
    let mut parts: Vec<(usize, usize)> = (0..u16_at(pe, headers.count))
        .map(|index| headers.table + index * SECTION_HEADER)
        .map(|at| (u32_at(pe, at + 20), u32_at(pe, at + 16)))
        .collect();
    parts.sort_unstable();
    let mut hashed = size;
    for (at, length) in parts {
        hash.update(&pe[at..at + length]);
        hashed += length;
    }
    hash.update(&pe[hashed..pe.len() - u32_at(pe, certificates + 4)]);
    hash.finalize().into()
}
