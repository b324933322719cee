//! Device paths (UEFI Specification 2.10, section 10): a list of nodes, walked, never nested.

use std::fmt::{self, Write as _};

use super::super::cursor::{Cursor, PayloadError};
use super::super::guid::Guid;
use super::super::text::{Utf16, shown};

/// A device path whose nodes are whole. Every node has a header of four bytes, so a path has at
/// most a quarter as many nodes as bytes. `Display` writes it as firmware shells do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DevicePath<'b> {
    bytes: &'b [u8],
}

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'b> {
    /// The kind: 1 hardware, 2 ACPI, 3 messaging, 4 media, 5 BIOS, 0x7f the end.
    pub kind: u8,
    /// The kind within the kind.
    pub sub_kind: u8,
    /// What follows the header.
    pub data: &'b [u8],
}

const END: u8 = 0x7f;
const END_ENTIRE: u8 = 0xff;

impl<'b> DevicePath<'b> {
    /// Checks the nodes; `at` is where the path begins in the payload.
    pub(super) fn read(bytes: &'b [u8], at: usize) -> Result<Self, PayloadError> {
        let mut cursor = Cursor::new(bytes);
        while cursor.left() > 0 {
            node(&mut cursor).map_err(|mut error| {
                error.offset = error.offset.saturating_add(at);
                error
            })?;
        }
        Ok(Self { bytes })
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The nodes, the ends included.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'b>> + use<'b> {
        let mut cursor = Cursor::new(self.bytes);
        std::iter::from_fn(move || {
            (cursor.left() > 0)
                .then(|| node(&mut cursor).ok())
                .flatten()
        })
    }

    /// The file that the path ends in: its name, with the backslashes of UEFI.
    #[must_use]
    pub fn file(&self) -> Option<Utf16<'b>> {
        let files = self
            .nodes()
            .filter(|node| (node.kind, node.sub_kind) == (4, 4));
        files.last().and_then(|node| Utf16::new(node.data))
    }
}

fn node<'b>(cursor: &mut Cursor<'b>) -> Result<Node<'b>, PayloadError> {
    const HEADER: usize = 4;
    let start = *cursor;
    let (kind, sub_kind, len) = (cursor.u8()?, cursor.u8()?, usize::from(cursor.u16()?));
    // A length below the header's would make a walk that never ends.
    let Some(len) = len.checked_sub(HEADER) else {
        return start.error("a device path node shorter than its header");
    };
    let data = cursor.take(len)?;
    Ok(Node {
        kind,
        sub_kind,
        data,
    })
}

impl fmt::Display for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for node in self.nodes() {
            if node.kind == END {
                between = if node.sub_kind == END_ENTIRE { "" } else { "," };
                continue;
            }
            f.write_str(between)?;
            between = "/";
            write!(f, "{node}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevicePath({self})")
    }
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known(f) {
            Ok(written) => written,
            // Of an unknown kind, or not of the kind's form: its numbers and its bytes.
            Err(_) => {
                write!(f, "Node({},{}", self.kind, self.sub_kind)?;
                for (at, byte) in self.data.iter().take(16).enumerate() {
                    let between = if at == 0 { "," } else { "" };
                    write!(f, "{between}{byte:02x}")?;
                }
                let more = if self.data.len() > 16 { "..." } else { "" };
                write!(f, "{more})")
            }
        }
    }
}

impl Node<'_> {
    fn known(&self, f: &mut fmt::Formatter<'_>) -> Result<fmt::Result, PayloadError> {
        let mut data = Cursor::new(self.data);
        let written = match (self.kind, self.sub_kind) {
            (1, 1) => {
                let (function, device) = (data.u8()?, data.u8()?);
                write!(f, "Pci({device:#x},{function:#x})")
            }
            (1, 4) => write!(f, "VenHw({})", data.guid()?),
            (2, 1) => acpi(f, data.u32()?, data.u32()?),
            (3, 1) => {
                let (primary, slave, lun) = (data.u8()?, data.u8()?, data.u16()?);
                write!(f, "Ata({primary},{slave},{lun})")
            }
            (3, 2) => write!(f, "Scsi({},{})", data.u16()?, data.u16()?),
            (3, 5) => write!(f, "USB({:#x},{:#x})", data.u8()?, data.u8()?),
            (3, 10) => write!(f, "VenMsg({})", data.guid()?),
            (3, 11) => mac(f, data.take(32)?, data.u8()?),
            (3, 12) => write!(
                f,
                "IPv4({})",
                dotted(data.take(8)?.get(4..).unwrap_or_default())
            ),
            (3, 13) => write!(f, "IPv6()"),
            (3, 18) => {
                let (port, multiplier, lun) = (data.u16()?, data.u16()?, data.u16()?);
                write!(f, "Sata({port:#x},{multiplier:#x},{lun:#x})")
            }
            (3, 23) => write!(f, "NVMe({:#x},{:016x})", data.u32()?, data.u64()?),
            (3, 24) => f
                .write_str("Uri(")
                .and_then(|()| latin(f, data.rest()))
                .and_then(|()| f.write_char(')')),
            (4, 1) => hard_drive(f, &mut data)?,
            (4, 2) => {
                let (entry, start, size) = (data.u32()?, data.u64()?, data.u64()?);
                write!(f, "CDROM({entry:#x},{start:#x},{size:#x})")
            }
            (4, 3) => write!(f, "VenMedia({})", data.guid()?),
            (4, 4) => match Utf16::new(self.data) {
                Some(name) => write!(f, "{name}"),
                None => return data.error("a file name that is no UTF-16"),
            },
            (4, 6) => write!(f, "FvFile({})", data.guid()?),
            (4, 7) => write!(f, "Fv({})", data.guid()?),
            (4, 8) => {
                let _reserved = data.u32()?;
                write!(f, "Offset({:#x},{:#x})", data.u64()?, data.u64()?)
            }
            (5, 1) => {
                let (kind, _flags) = (data.u16()?, data.u16()?);
                write!(f, "BBS({kind:#x},")
                    .and_then(|()| latin(f, data.rest()))
                    .and_then(|()| f.write_char(')'))
            }
            _ => return data.error("a node of no known kind"),
        };
        Ok(written)
    }
}

/// ACPI `_HID` (section 10.3.3): PNP0A03 and PNP0A08 are the root bridges.
fn acpi(f: &mut fmt::Formatter<'_>, hid: u32, uid: u32) -> fmt::Result {
    match hid {
        0x0a03_41d0 => write!(f, "PciRoot({uid:#x})"),
        0x0a08_41d0 => write!(f, "PcieRoot({uid:#x})"),
        _ => write!(f, "Acpi({hid:#010x},{uid:#x})"),
    }
}

/// Section 10.3.5.1: partition number, start and size in blocks, and how the disk names it.
fn hard_drive(
    f: &mut fmt::Formatter<'_>,
    data: &mut Cursor<'_>,
) -> Result<fmt::Result, PayloadError> {
    let (number, start, size) = (data.u32()?, data.u64()?, data.u64()?);
    let signature: [u8; 16] = data.array()?;
    let (_format, kind) = (data.u8()?, data.u8()?);
    let [a, b, c, d, ..] = signature;
    Ok(match kind {
        1 => {
            let serial = u32::from_le_bytes([a, b, c, d]);
            write!(f, "HD({number},MBR,{serial:#010x},{start:#x},{size:#x})")
        }
        2 => write!(
            f,
            "HD({number},GPT,{},{start:#x},{size:#x})",
            Guid::new(signature)
        ),
        _ => write!(f, "HD({number},{kind},0,{start:#x},{size:#x})"),
    })
}

/// Of the 32 bytes, an Ethernet address (interface types 0 and 1) has six.
fn mac(f: &mut fmt::Formatter<'_>, address: &[u8], interface: u8) -> fmt::Result {
    let len = if interface <= 1 { 6 } else { address.len() };
    f.write_str("MAC(")?;
    address
        .iter()
        .take(len)
        .try_for_each(|byte| write!(f, "{byte:02x}"))?;
    write!(f, ",{interface:#x})")
}

fn dotted(address: &[u8]) -> String {
    let parts: Vec<String> = address.iter().map(ToString::to_string).collect();
    parts.join(".")
}

fn latin(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let ends = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let text = bytes.get(..ends).unwrap_or_default();
    text.iter().try_for_each(|byte| {
        let c = if byte.is_ascii() {
            shown(char::from(*byte))
        } else {
            char::REPLACEMENT_CHARACTER
        };
        f.write_char(c)
    })
}
