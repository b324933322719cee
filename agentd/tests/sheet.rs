//! The sheet checker against workbooks of every kind, hostile ones included,
//! through the `agent-script` program's own module.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what its functions call"
)]

use std::io::Write as _;
use std::path::PathBuf;

use casemate_agentd::workflow::sheet::difference;
use zip::write::SimpleFileOptions;

/// A folder of this test that goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("casemate-sheet-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"#;
const RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>"#;
const BOOK_RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// A workbook whose first sheet holds these rows of XML.
fn workbook(rows: &str) -> Vec<u8> {
    let sheet = format!(
        r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#
    );
    archive(&[
        ("[Content_Types].xml", TYPES.as_bytes()),
        ("_rels/.rels", RELS.as_bytes()),
        ("xl/workbook.xml", BOOK.as_bytes()),
        ("xl/_rels/workbook.xml.rels", BOOK_RELS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter()
        .map(|row| row.iter().map(|text| (*text).to_owned()).collect())
        .collect()
}

const TWO: &str = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>Total</t></is></c><c r="B1"><v>1234.5</v></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>00411</t></is></c><c r="B2"><v>0.30000000000000004</v></c></row>"#;

#[test]
fn equal_and_different_sheets() {
    let folder = Folder::new("equal");
    let path = folder.write("a.xlsx", &workbook(TWO));
    let good = rows(&[&["Total", "1234.50"], &["00411", "0.30"]]);
    assert_eq!(difference(&path, &good), Ok(None));
    for (bad, says) in [
        (
            rows(&[&["Total", "1234.51"], &["00411", "0.30"]]),
            "B1: expected \"1234.51\", found the number 1234.5",
        ),
        (
            rows(&[&["Total", "1234.50"], &["411", "0.30"]]),
            "A2: expected \"411\", found \"00411\"",
        ),
        (
            rows(&[&["Total", "1234.50"]]),
            "A2: expected an empty cell, found \"00411\"",
        ),
        (
            rows(&[&["Total", "1234.50", "x"], &["00411", "0.30"]]),
            "C1: expected \"x\", the cell is empty",
        ),
        (rows(&[]), "A1: expected an empty cell, found \"Total\""),
    ] {
        assert_eq!(difference(&path, &bad), Ok(Some(says.to_owned())));
    }
}

#[test]
fn hostile_files_are_errors() {
    let folder = Folder::new("hostile");
    let zeros = vec![b' '; 70 << 20];
    let doctype = br#"<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><workbook>&b;</workbook>"#;
    let whole = workbook(TWO);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty.xlsx", vec![]),
        ("text.xlsx", b"PK not a zip at all".to_vec()),
        ("pdf.xlsx", b"%PDF-1.7\n".to_vec()),
        ("gnumeric.xlsx", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
        ("cut.xlsx", whole[..whole.len() / 2].to_vec()),
        (
            "no-book.xlsx",
            archive(&[("[Content_Types].xml", TYPES.as_bytes())]),
        ),
        ("bomb.xlsx", archive(&[("xl/workbook.xml", &zeros)])),
        (
            "entities.xlsx",
            archive(&[
                ("xl/workbook.xml", doctype),
                ("xl/_rels/workbook.xml.rels", BOOK_RELS.as_bytes()),
            ]),
        ),
        (
            "not-xml.xlsx",
            archive(&[
                ("xl/workbook.xml", b"\0\0\0\0"),
                ("xl/_rels/workbook.xml.rels", b"<<<<"),
            ]),
        ),
    ];
    for (name, bytes) in cases {
        let path = folder.write(name, &bytes);
        let failure = difference(&path, &rows(&[&["Total"]])).expect_err(name);
        assert_eq!(
            failure.code, "sheet.unreadable",
            "{name}: {}",
            failure.message
        );
    }
    assert!(difference(&folder.0.join("gone.xlsx"), &[]).is_err());
    // Every single byte changed: an error or a difference or no effect, never a panic.
    let good = rows(&[&["Total", "1234.50"], &["00411", "0.30"]]);
    for index in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[index] ^= 0x55;
        let path = folder.write("flipped.xlsx", &bytes);
        let _ = difference(&path, &good);
    }
}

#[test]
fn a_far_or_wrong_cell_costs_nothing() {
    let folder = Folder::new("far");
    let far = r#"<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#;
    let path = folder.write("far.xlsx", &workbook(far));
    assert_eq!(
        difference(&path, &[]),
        Ok(Some(
            "XFD1048576: expected an empty cell, found the number 1".to_owned()
        ))
    );
    for value in ["1e999", "nan", "x"] {
        let cell = format!(r#"<row r="1"><c r="A1"><v>{value}</v></c></row>"#);
        let path = folder.write("odd.xlsx", &workbook(&cell));
        assert_ne!(difference(&path, &rows(&[&["1"]])), Ok(None), "{value}");
    }
}
