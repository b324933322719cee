//! SPDX 2.3, JSON.

use serde_json::{Value, json};

use super::{Bill, Component};
use crate::digest;

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";

pub(super) fn document(bill: &Bill) -> String {
    let mut packages = vec![json!({
        "SPDXID": IMAGE,
        "name": "casemate",
        "versionInfo": bill.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "OPERATING-SYSTEM",
    })];
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE)];
    for component in &bill.components {
        let id = id(component);
        relationships.push(relationship(IMAGE, "CONTAINS", &id));
        packages.push(package(component, &id));
    }
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": format!("casemate-{}", bill.version),
        "documentNamespace": format!("https://casemate.invalid/spdx/{}", bill.uuid("spdx")),
        "creationInfo": {
            "created": bill.time(),
            "creators": [format!("Tool: casemate-image-{}", env!("CARGO_PKG_VERSION"))],
        },
        "packages": packages,
        "relationships": relationships,
    });
    format!("{document:#}\n")
}

fn package(of: &Component, id: &str) -> Value {
    let mut out = json!({
        "SPDXID": id,
        "name": of.name,
        "versionInfo": of.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": of.licence.as_deref().unwrap_or("NOASSERTION"),
        "copyrightText": "NOASSERTION",
        "comment": format!("in: {}", of.parts.join(" ")),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": of.purl,
        }],
    });
    if let (Some(fields), Some(sha256)) = (out.as_object_mut(), &of.sha256) {
        let checksum = json!([{ "algorithm": "SHA256", "checksumValue": sha256 }]);
        fields.insert("checksums".to_owned(), checksum);
    }
    out
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// An identifier: letters, digits, `.` and `-` only, so the rest is said by a digest.
fn id(of: &Component) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let words: String = format!("{}-{}", of.name, of.version)
        .chars()
        .map(plain)
        .collect();
    let digest = hex::encode(digest::of_bytes(of.purl.as_bytes()));
    format!("SPDXRef-{words}-{}", digest.get(..8).unwrap_or_default())
}
