//! Writing a minimal unified kernel image, for the recording.

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
