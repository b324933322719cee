//! The blank workbook of the desktop pack: an .xlsx of one empty sheet, written
//! byte for byte the same each time.
//!
//! An .xlsx is a zip (PKWARE APPNOTE 6.3.10) of a few XML parts (ECMA-376 part 1,
//! section 12.3). Stored without compression: it is 2 KB, and a compressor's
//! version cannot change it.

/// DOS date of 1980-01-01, the earliest a zip can say; the time is 00:00.
const DATE: u16 = 0x21;

const PARTS: &[(&str, &str)] = &[
    (
        "[Content_Types].xml",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>
"#,
    ),
    (
        "_rels/.rels",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>
"#,
    ),
    (
        "xl/workbook.xml",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>
"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>
"#,
    ),
    (
        "xl/worksheets/sheet1.xml",
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>
"#,
    ),
];

/// The workbook's bytes.
#[must_use]
pub(crate) fn blank() -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in PARTS {
        let offset = length(&zip);
        let fields = common_fields(name, text);
        zip.extend_from_slice(b"PK\x03\x04");
        zip.extend_from_slice(&fields);
        zip.extend_from_slice(name.as_bytes());
        zip.extend_from_slice(text.as_bytes());
        // APPNOTE 4.3.12: made by version 2.0 on MS-DOS; no comment, disk 0, no attributes.
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&fields);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset);
        directory.extend_from_slice(name.as_bytes());
    }
    let start = length(&zip);
    let count = u16::try_from(PARTS.len()).unwrap_or(0).to_le_bytes();
    zip.extend_from_slice(&directory);
    // APPNOTE 4.3.16: end of central directory.
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    zip.extend_from_slice(&count);
    zip.extend_from_slice(&count);
    zip.extend_from_slice(&length(&directory));
    zip.extend_from_slice(&start);
    zip.extend_from_slice(&[0; 2]);
    zip
}

/// What the local header (4.3.7) and the directory entry share, from "version
/// needed" to "extra field length".
fn common_fields(name: &str, text: &str) -> Vec<u8> {
    let size = length(text.as_bytes());
    let mut fields = vec![0x14, 0, 0, 0, 0, 0, 0, 0];
    fields.extend_from_slice(&DATE.to_le_bytes());
    fields.extend_from_slice(&crc32(text.as_bytes()).to_le_bytes());
    fields.extend_from_slice(&size);
    fields.extend_from_slice(&size);
    fields.extend_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    fields.extend_from_slice(&[0; 2]);
    fields
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes()
}

/// CRC-32 of APPNOTE 4.4.7, bit by bit: two kilobytes need no table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_workbook_begins_as_a_zip_and_lists_every_part() {
        let zip = blank();
        assert!(zip.starts_with(b"PK\x03\x04"));
        assert_eq!(zip, blank());
        let entries = zip.windows(4).filter(|w| w == b"PK\x01\x02").count();
        assert_eq!(entries, PARTS.len());
    }
}
