//! The bill of materials and the provenance of this very checkout: the rules of their schemas, and
//! what must and must not stand in them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a test's helpers fail the test"
)]

use std::collections::BTreeSet;
use std::process::Command;

use casemate_image::keys::{self, PackKey};
use casemate_image::lock::Lock;
use casemate_image::provenance::{self, Source, Subject};
use casemate_image::publish::checkout;
use casemate_image::sbom::{Bill, Component, Origin};
use serde_json::Value;

fn is_text(value: &Value, form: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(form)
}

fn hex(length: usize) -> impl Fn(&str) -> bool {
    move |text| {
        text.len() == length
            && text
                .bytes()
                .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
    }
}

/// `2025-11-24T16:00:00Z`
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    shape == "9999-99-99T99:99:99Z"
}

fn keys_of(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn bill() -> Bill {
    Bill::of_checkout(&checkout()).unwrap()
}

#[test]
fn every_locked_package_is_listed_and_nothing_that_only_builds() {
    let bill = bill();
    let mut locked = 0;
    for (list, part) in [
        ("image/base/base.lock", "root"),
        ("image/packs/desktop.lock", "desktop"),
    ] {
        for package in Lock::read(&checkout().join(list)).unwrap().packages {
            locked += 1;
            let found = bill.components.iter().find(|one| {
                one.origin == Origin::Debian
                    && one.name == package.name
                    && one.version == package.version
            });
            let found = found.unwrap_or_else(|| panic!("{} is not listed", package.name));
            assert_eq!(found.sha256.as_ref(), Some(&package.sha256));
            assert!(found.parts.contains(&part));
        }
    }
    assert!(locked > 300);
    let crates: BTreeSet<&str> = bill
        .components
        .iter()
        .filter(|one| matches!(one.origin, Origin::Crate | Origin::Own))
        .map(|one| one.name.as_str())
        .collect();
    for linked in [
        "landlock",
        "minicbor",
        "starlark",
        "casemate-agentd",
        "casemate-appliance",
    ] {
        assert!(crates.contains(linked), "{linked}");
    }
    for not_linked in [
        "proptest",
        "serde_derive",
        "thiserror-impl",
        "casemate-image",
        "casemate-tests",
    ] {
        assert!(!crates.contains(not_linked), "{not_linked}");
    }
    let unknown = |one: &&Component| {
        one.origin == Origin::Crate && (one.licence.is_none() || one.sha256.is_none())
    };
    let unknown: Vec<_> = bill.components.iter().filter(unknown).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// bom-1.6.schema.json, as far as this document uses it.
#[test]
fn cyclonedx_keeps_the_schemas_rules() {
    let text = bill().cyclonedx();
    let document: Value = serde_json::from_str(&text).unwrap();
    let expected = [
        "$schema",
        "bomFormat",
        "components",
        "dependencies",
        "metadata",
        "serialNumber",
        "specVersion",
        "version",
    ];
    assert_eq!(keys_of(&document), BTreeSet::from(expected));
    assert_eq!(
        (&document["bomFormat"], &document["specVersion"]),
        (&"CycloneDX".into(), &"1.6".into())
    );
    assert_eq!(document["version"], 1);
    let parts: Vec<&str> = document["serialNumber"]
        .as_str()
        .unwrap()
        .split([':', '-'])
        .collect();
    assert_eq!(parts[..2], ["urn", "uuid"]);
    assert!(
        parts[2..]
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(part, n)| hex(n)(part)),
        "{parts:?}"
    );
    assert!(is_text(&document["metadata"]["timestamp"], is_time));
    let kinds = [
        "application",
        "library",
        "machine-learning-model",
        "operating-system",
    ];
    let mut references = BTreeSet::new();
    let components = document["components"].as_array().unwrap();
    for component in components
        .iter()
        .chain([&document["metadata"]["component"]])
    {
        assert!(is_text(&component["type"], |kind| kinds.contains(&kind)));
        assert!(is_text(&component["name"], |name| !name.is_empty()));
        assert!(
            references.insert(component["bom-ref"].as_str().unwrap()),
            "{component}"
        );
        for hash in component["hashes"].as_array().into_iter().flatten() {
            assert_eq!(hash["alg"], "SHA-256");
            assert!(is_text(&hash["content"], hex(64)));
        }
        // A list of licences, or exactly one expression.
        if let Some(licences) = component.get("licenses") {
            assert_eq!(licences.as_array().unwrap().len(), 1);
            assert!(
                is_text(&licences[0]["expression"], is_expression),
                "{component}"
            );
        }
    }
    for dependency in document["dependencies"].as_array().unwrap() {
        let all = dependency["dependsOn"].as_array().unwrap();
        let mut seen = BTreeSet::new();
        for one in all.iter().chain([&dependency["ref"]]) {
            assert!(references.contains(one.as_str().unwrap()) && seen.insert(one.as_str()));
        }
    }
}

/// SPDX 2.3, annex D: identifiers, `AND`, `OR`, `WITH`, brackets.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut operand = true;
    let mut depth = 0;
    for word in spaced.split_whitespace() {
        match (word, operand) {
            ("(", true) => depth += 1,
            (")", false) => depth -= 1,
            ("AND" | "OR" | "WITH", false) => operand = true,
            ("AND" | "OR" | "WITH" | "(" | ")", _) => return false,
            (_, true) => operand = false,
            (_, false) => return false,
        }
        let plain = word
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-.+()".contains(&c));
        if !plain || depth < 0 {
            return false;
        }
    }
    !operand && depth == 0
}

/// spdx-schema.json of 2.3, as far as this document uses it.
#[test]
fn spdx_keeps_the_schemas_rules() {
    let text = bill().spdx();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    assert_eq!(document["dataLicense"], "CC0-1.0");
    assert_eq!(document["SPDXID"], "SPDXRef-DOCUMENT");
    assert!(is_text(&document["name"], |name| !name.is_empty()));
    assert!(is_text(&document["documentNamespace"], |uri| uri
        .starts_with("https://")
        && !uri.contains('#')));
    assert!(is_text(&document["creationInfo"]["created"], is_time));
    assert!(is_text(&document["creationInfo"]["creators"][0], |who| who
        .starts_with("Tool: ")));
    let mut ids = BTreeSet::from(["SPDXRef-DOCUMENT"]);
    for package in document["packages"].as_array().unwrap() {
        let id = package["SPDXID"].as_str().unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        assert!(
            id.strip_prefix("SPDXRef-")
                .is_some_and(|rest| rest.chars().all(plain)),
            "{id}"
        );
        assert!(ids.insert(id), "{id}");
        for needed in [
            "name",
            "downloadLocation",
            "licenseConcluded",
            "licenseDeclared",
            "copyrightText",
        ] {
            assert!(
                is_text(&package[needed], |text| !text.is_empty()),
                "{id} {needed}"
            );
        }
        // Without a verification code, files may not be said to be analysed.
        assert_eq!(package["filesAnalyzed"], false);
        assert!(
            is_text(&package["licenseDeclared"], is_expression),
            "{package}"
        );
        for checksum in package["checksums"].as_array().into_iter().flatten() {
            assert_eq!(checksum["algorithm"], "SHA256");
            assert!(is_text(&checksum["checksumValue"], hex(64)));
        }
        for reference in package["externalRefs"].as_array().into_iter().flatten() {
            assert_eq!(reference["referenceCategory"], "PACKAGE-MANAGER");
            assert_eq!(reference["referenceType"], "purl");
            assert!(is_text(&reference["referenceLocator"], |purl| purl
                .starts_with("pkg:")));
        }
    }
    let mut contained = BTreeSet::from(["SPDXRef-DOCUMENT"]);
    for relationship in document["relationships"].as_array().unwrap() {
        assert!(is_text(&relationship["relationshipType"], |kind| [
            "DESCRIBES",
            "CONTAINS"
        ]
        .contains(&kind)));
        let [from, to] =
            ["spdxElementId", "relatedSpdxElement"].map(|end| relationship[end].as_str().unwrap());
        assert!(ids.contains(from) && ids.contains(to));
        contained.insert(to);
    }
    assert_eq!(contained, ids);
}

#[test]
fn the_same_locks_give_the_same_bytes_and_another_digest_another_identifier() {
    let (first, second) = (bill(), bill());
    assert_eq!(first.cyclonedx(), second.cyclonedx());
    assert_eq!(first.spdx(), second.spdx());
    let mut changed = first.clone();
    let sha256 = changed.components[0].sha256.as_mut().unwrap();
    let flipped = if sha256.starts_with('0') { "1" } else { "0" };
    sha256.replace_range(..1, flipped);
    let serial = |bill: &Bill| {
        let document: Value = serde_json::from_str(&bill.cyclonedx()).unwrap();
        document["serialNumber"].as_str().unwrap().to_owned()
    };
    assert_ne!(serial(&first), serial(&changed));
}

#[test]
fn package_urls_are_escaped() {
    let bill = bill();
    let plus = bill
        .components
        .iter()
        .find(|one| one.origin == Origin::Debian && one.version.contains('+'));
    let plus = plus.unwrap();
    assert!(
        plus.purl.contains("%2B") && !plus.purl.contains('+'),
        "{}",
        plus.purl
    );
    let epoch = bill
        .components
        .iter()
        .find(|one| one.origin == Origin::Debian && one.version.contains(':'));
    assert!(epoch.unwrap().purl.contains("%3A"));
}

fn subjects() -> Vec<Subject> {
    vec![Subject {
        name: "casemate.ova".to_owned(),
        sha256: [0xab; 32],
    }]
}

#[test]
fn the_statement_says_what_was_made_from_what() {
    let bill = bill();
    let source = Source::of_checkout(&checkout()).unwrap();
    assert!(hex(40)(&source.commit), "{source:?}");
    let statement = provenance::statement(&subjects(), &source, &bill);
    let statement: Value = serde_json::from_str(&statement).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(statement["subject"][0]["name"], "casemate.ova");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], "ab".repeat(32));
    let definition = &statement["predicate"]["buildDefinition"];
    let materials = definition["resolvedDependencies"].as_array().unwrap();
    assert_eq!(materials[0]["digest"]["gitCommit"], source.commit.as_str());
    let foreign = bill
        .components
        .iter()
        .filter(|one| one.origin != Origin::Own)
        .count();
    assert_eq!(materials.len(), foreign + 1);
    for material in &materials[1..] {
        assert!(
            is_text(&material["digest"]["sha256"], hex(64)),
            "{material}"
        );
    }
    assert!(is_text(&definition["buildType"], |uri| uri.starts_with("tag:")));
    assert!(is_text(
        &statement["predicate"]["runDetails"]["builder"]["id"],
        |uri| uri.starts_with("tag:")
    ));
}

/// The signature is the release key's by openssl as well; a changed statement, another type or
/// another key is not accepted; a published envelope is put back for the same statement only.
#[test]
fn the_envelope_is_signed_and_nothing_else_opens() {
    let dir = tempfile::tempdir().unwrap();
    keys::make_development_keys(dir.path()).unwrap();
    let path = |name: &str| dir.path().join(name);
    let key = PackKey::read(&path("release.key")).unwrap();
    let source = Source {
        commit: "0".repeat(40),
        modified: false,
    };
    let statement = provenance::statement(&subjects(), &source, &bill());
    let envelope = provenance::envelope(&statement, &key).unwrap();
    assert_eq!(envelope, provenance::envelope(&statement, &key).unwrap());
    let public = std::fs::read_to_string(path("release.pub")).unwrap();
    let other = std::fs::read_to_string(path("site.pub")).unwrap();
    assert_eq!(
        provenance::open(&envelope, &public).unwrap(),
        statement.as_bytes()
    );
    assert_eq!(provenance::open(&envelope, &other), None);
    assert_eq!(
        provenance::open(&envelope.replace("in-toto+json", "in-toto+cbor"), &public),
        None
    );
    let mut parsed: Value = serde_json::from_str(&envelope).unwrap();
    let payload = parsed["payload"].as_str().unwrap().replacen('a', "b", 1);
    parsed["payload"] = payload.into();
    assert_eq!(provenance::open(&parsed.to_string(), &public), None);

    std::fs::write(
        path("signed"),
        provenance::authenticated(statement.as_bytes()),
    )
    .unwrap();
    let parsed: Value = serde_json::from_str(&envelope).unwrap();
    std::fs::write(
        path("sig.b64"),
        parsed["signatures"][0]["sig"].as_str().unwrap(),
    )
    .unwrap();
    let script = "openssl base64 -d -A -in sig.b64 -out sig && \
        openssl dgst -sha256 -verify release.pub -signature sig signed";
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Verified OK\n");

    std::fs::write(path("kept"), &envelope).unwrap();
    assert_eq!(
        provenance::kept(&statement, &path("kept"), &path("release.pub")).unwrap(),
        envelope
    );
    let error = provenance::kept("{}", &path("kept"), &path("release.pub")).unwrap_err();
    assert_eq!(error.code().id, "image.signature-foreign");
    let error = provenance::kept(&statement, &path("kept"), &path("site.pub")).unwrap_err();
    assert_eq!(error.code().id, "image.signature-foreign");
}
