//! PE files: writing a minimal UKI, and the digest that firmware measures of one.
//!
//! The digest is Authenticode's (Microsoft "Windows Authenticode Portable Executable Signature
//! Format", "Calculating the PE Image Hash"), which UEFI measures into PCR 4 (PC Client PFP,
//! section 3.3.4.5). Written for images whose sections lie in the order of their headers, which
//! is how [`image`] and ukify lay them out.

use sha2::{Digest as _, Sha256};

/// Alignment of sections in memory and in the file, and the size of the headers.
const ALIGN: usize = 0x1000;
const OPTIONAL: usize = 240;

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

/// A PE32+ EFI application of these sections: 4 KiB alignment (512 trips OVMF under Secure
/// Boot), no code, time stamp and checksum zero, so that it is the same each time.
pub(super) fn image(sections: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let mut table = Vec::new();
    let mut body = Vec::new();
    for (name, content) in sections {
        let at = ALIGN + body.len();
        let padded = content.len().next_multiple_of(ALIGN);
        let mut label = [0; 8];
        for (slot, byte) in label.iter_mut().zip(name.bytes()) {
            *slot = byte;
        }
        table.extend(label);
        table.extend(number(content.len())); // virtual size
        table.extend(number(at));
        table.extend(number(padded)); // raw size
        table.extend(number(at));
        table.extend([0; 12]); // relocations and line numbers
        table.extend(0x4000_0040u32.to_le_bytes()); // initialised data, readable
        body.extend(content);
        body.resize(at - ALIGN + padded, 0);
    }
    let mut out = b"MZ".to_vec();
    out.resize(0x3c, 0);
    out.extend(number(0x40));
    out.extend(b"PE\0\0");
    out.extend(coff(sections.len()));
    out.extend(optional(ALIGN + body.len()));
    out.extend(table);
    out.resize(ALIGN, 0);
    out.extend(body);
    out
}

fn coff(sections: usize) -> Vec<u8> {
    let mut out = 0x8664u16.to_le_bytes().to_vec(); // x86-64
    out.extend(u16::try_from(sections).unwrap_or(u16::MAX).to_le_bytes());
    out.extend([0; 12]); // time stamp, symbols
    out.extend(240u16.to_le_bytes());
    out.extend(0x0022u16.to_le_bytes()); // executable, large addresses
    out
}

fn optional(size: usize) -> Vec<u8> {
    let mut out = 0x020bu16.to_le_bytes().to_vec(); // PE32+
    out.extend([0; 22]); // linker version, code and data sizes, entry point, code base
    out.extend(0u64.to_le_bytes()); // image base
    out.extend(number(ALIGN));
    out.extend(number(ALIGN));
    out.extend([0; 16]); // versions
    out.extend(number(size));
    out.extend(number(ALIGN));
    out.extend(number(0)); // checksum
    out.extend(10u16.to_le_bytes()); // EFI application
    out.extend(0x0160u16.to_le_bytes());
    out.extend([0; 32]); // stack and heap
    out.extend(number(0)); // loader flags
    out.extend(number(16)); // data directories
    out.resize(OPTIONAL, 0);
    out
}

/// Not a PE32+ file laid out as this module reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotPe;

/// The Authenticode SHA-256 digest.
pub(super) fn authenticode(pe: &[u8]) -> Result<[u8; 32], NotPe> {
    let u16_at = |at: usize| -> Result<usize, NotPe> {
        let bytes = pe
            .get(at..at + 2)
            .and_then(|b| <[u8; 2]>::try_from(b).ok())
            .ok_or(NotPe)?;
        Ok(u16::from_le_bytes(bytes).into())
    };
    let u32_at = |at: usize| -> Result<usize, NotPe> {
        let bytes = pe
            .get(at..at + 4)
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
            .ok_or(NotPe)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| NotPe)
    };
    let coff = u32_at(0x3c)?;
    if pe.get(..2) != Some(b"MZ") || pe.get(coff..coff + 4) != Some(b"PE\0\0") {
        return Err(NotPe);
    }
    let optional = coff + 24;
    let sections = u16_at(coff + 6)?;
    if u16_at(optional)? != 0x020b {
        return Err(NotPe);
    }
    // Steps 3 to 7: the headers without checksum and certificate table entry.
    let (checksum, certificates) = (optional + 64, optional + 144);
    let headers = u32_at(optional + 60)?;
    let mut hash = Sha256::new();
    for (from, to) in [
        (0, checksum),
        (checksum + 4, certificates),
        (certificates + 8, headers),
    ] {
        hash.update(pe.get(from..to).ok_or(NotPe)?);
    }
    // Steps 8 to 12: the sections in the order of their place in the file.
    let table = optional + u16_at(coff + 20)?;
    let mut parts = Vec::new();
    for index in 0..sections {
        let header = table + index * 40;
        parts.push((u32_at(header + 20)?, u32_at(header + 16)?));
    }
    parts.sort_unstable();
    let mut hashed = headers;
    for (at, size) in parts.into_iter().filter(|(_, size)| *size > 0) {
        hash.update(pe.get(at..at + size).ok_or(NotPe)?);
        hashed += size;
    }
    // Steps 13 and 14: what follows, without the certificates at the end.
    let end = pe
        .len()
        .checked_sub(u32_at(certificates + 4)?)
        .ok_or(NotPe)?;
    if end > hashed {
        hash.update(pe.get(hashed..end).unwrap_or_default());
    }
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_and_certificates_are_not_in_the_digest_and_all_else_is() {
        let pe = image(&[
            (".linux", b"kernel".to_vec()),
            (".cmdline", b"quiet".to_vec()),
        ]);
        let digest = authenticode(&pe).unwrap();
        let optional = 0x40 + 24;
        let mut checksum = pe.clone();
        checksum[optional + 64] ^= 1;
        assert_eq!(authenticode(&checksum).unwrap(), digest);
        let mut signed = pe.clone();
        signed.extend([0xAA; 16]);
        signed[optional + 144..optional + 148].copy_from_slice(&number(pe.len()));
        signed[optional + 148..optional + 152].copy_from_slice(&number(16));
        assert_eq!(authenticode(&signed).unwrap(), digest);
        for at in [0x50, 0x1000, 0x2000] {
            let mut edited = pe.clone();
            edited[at] ^= 1;
            assert_ne!(authenticode(&edited), Ok(digest), "byte {at:#x}");
        }
        assert_eq!(authenticode(b"MZ"), Err(NotPe));
    }
}
