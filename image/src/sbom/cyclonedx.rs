//! CycloneDX 1.6 (ECMA-424), JSON.

use serde_json::{Value, json};

use super::{Bill, Component, Origin};

const REF: &str = "casemate";

pub(super) fn document(bill: &Bill) -> String {
    let all: Vec<&str> = bill
        .components
        .iter()
        .map(|one| one.purl.as_str())
        .collect();
    let components: Vec<Value> = bill.components.iter().map(component).collect();
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", bill.uuid("cyclonedx")),
        "version": 1,
        "metadata": {
            "timestamp": bill.time(),
            "tools": { "components": [{
                "type": "application",
                "name": "casemate-image",
                "version": env!("CARGO_PKG_VERSION"),
            }]},
            "component": {
                "type": "operating-system",
                "bom-ref": REF,
                "name": "casemate",
                "version": bill.version,
            },
        },
        "components": components,
        "dependencies": [{ "ref": REF, "dependsOn": all }],
    });
    format!("{document:#}\n")
}

fn component(of: &Component) -> Value {
    let kind = match of.origin {
        Origin::Debian | Origin::Crate | Origin::Own => "library",
        Origin::Wheel => "machine-learning-model",
    };
    let mut out = json!({
        "type": kind,
        "bom-ref": of.purl,
        "name": of.name,
        "version": of.version,
        "purl": of.purl,
        "properties": [{ "name": "casemate:parts", "value": of.parts.join(" ") }],
    });
    if let Some(fields) = out.as_object_mut() {
        if let Some(sha256) = &of.sha256 {
            let hash = json!([{ "alg": "SHA-256", "content": sha256 }]);
            fields.insert("hashes".to_owned(), hash);
        }
        if let Some(licence) = &of.licence {
            let licences = json!([{ "expression": licence }]);
            fields.insert("licenses".to_owned(), licences);
        }
    }
    out
}
