//! The printable page: one document, no script, nothing loaded, text from outside stays text; and
//! the EAR beside it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use casemate_attest::digest::Digest;
use casemate_attest::enrolment::{Enrolment, Root};
use casemate_attest::evidence::{Evidence, Statement};
use casemate_attest::messages::Language;
use casemate_attest::report::{Ear, PROFILE, Page};
use casemate_attest::verdict::{Decision, Verdict};
use p256::ecdsa::signature::Verifier as _;
use sha2::{Digest as _, Sha256};
use stand::{NOW, Stand};

/// What an attacker puts into every text that they choose.
const HOSTILE: &str =
    "<script>alert('x')</script>\u{202e}<img src=\"http://evil.test/\">&amp;\0]]>";

fn judged(stand: &Stand, change: impl FnOnce(Evidence) -> Evidence) -> (Verdict, Vec<u8>) {
    let auditor = stand.auditor();
    let bytes = change(stand.evidence(&auditor.challenge)).to_bytes();
    (stand.judge(&auditor, &bytes).unwrap(), bytes)
}

fn pass() -> (Verdict, Vec<u8>) {
    judged(&Stand::default(), |evidence| evidence)
}

fn conditional() -> (Verdict, Vec<u8>) {
    let stand = Stand::default();
    let bytes = stand.evidence(&[]).to_bytes();
    let verdict = stand.judge_with(&stand.auditor(), &bytes, |mut inputs| {
        (inputs.challenge, inputs.secret) = (None, None);
        inputs
    });
    (verdict.unwrap(), bytes)
}

fn fail() -> (Verdict, Vec<u8>) {
    let mut stand = Stand::default();
    stand
        .firmware
        .extend(stand::event(4, stand::APPLICATION, b"another loader"));
    stand.leaves.truncate(2);
    judged(&stand, |evidence| evidence)
}

fn page(verdict: &Verdict, file: &[u8], language: Language) -> String {
    Page {
        verdict,
        file,
        judged_ms: NOW,
        language,
    }
    .html()
}

/// Every page that there is, with its name.
fn pages() -> Vec<(String, String)> {
    let verdicts = [
        ("pass", pass()),
        ("conditional", conditional()),
        ("fail", fail()),
        ("hostile", hostile()),
    ];
    let mut pages = Vec::new();
    for (name, (verdict, file)) in verdicts {
        for language in Language::ALL {
            let name = format!("{name}-{}.html", language.tag());
            pages.push((name, page(&verdict, &file, language)));
        }
    }
    pages
}

/// Hostile text wherever an evidence or a record has text.
fn hostile() -> (Verdict, Vec<u8>) {
    let mut stand = Stand::default();
    stand
        .firmware
        .extend(stand::event(5, 0x8000_0007, HOSTILE.as_bytes()));
    let auditor = stand.auditor();
    let mut body = stand.body(&auditor.challenge);
    body.statements = vec![Statement {
        name: "<b onload=x>".to_owned(),
        value: HOSTILE.to_owned(),
    }];
    let body = body.sealed();
    let quote = stand.quote(&body.qualifying());
    let bytes = Evidence::new(body, vec![quote]).to_bytes();
    let record = Enrolment::sign(
        &stand.request(),
        Root::FirstUse,
        "<i>&\"'\u{202e}",
        NOW,
        &stand.owner,
    );
    let verdict = stand.judge_with(&auditor, &bytes, |inputs| casemate_attest::verify::Inputs {
        enrolment: Box::leak(record.clone().into_boxed_slice()),
        ..inputs
    });
    (verdict.unwrap(), bytes)
}

/// Reads a page as strictly as XML: every element closed in order, every attribute quoted.
/// Gives the names of elements and the attributes.
fn elements(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    const VOID: [&str; 2] = ["meta", "br"];
    let (mut open, mut found): (Vec<String>, _) = (Vec::new(), Vec::new());
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some((text, after)) = rest.split_once('<') {
        assert!(
            !text.contains('>') || open.last().is_some_and(|name| name == "style"),
            "{text}"
        );
        let (tag, behind) = after.split_once('>').unwrap();
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut list = Vec::new();
        while let Some((key, value)) = attributes.trim_start().split_once("=\"") {
            let (value, next) = value.split_once('"').unwrap();
            list.push((key.to_owned(), value.to_owned()));
            attributes = next;
        }
        assert_eq!(attributes.trim(), "", "{tag}");
        if !closed && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
        found.push((name.to_owned(), list));
    }
    assert_eq!(rest.trim(), "");
    assert_eq!(open, Vec::<String>::new());
    found
}

#[test]
fn every_page_is_well_formed_and_loads_nothing() {
    let known = [
        "html", "head", "meta", "title", "style", "body", "header", "p", "section", "svg",
        "circle", "path", "div", "h1", "h2", "ul", "li", "code", "figure", "rect", "text", "table",
        "thead", "tbody", "tr", "th", "td", "br", "footer",
    ];
    for (name, html) in pages() {
        for (element, attributes) in elements(&html) {
            assert!(known.contains(&&element[..]), "{name}: <{element}>");
            for (key, value) in attributes {
                let loads = [
                    "src",
                    "href",
                    "style",
                    "data",
                    "action",
                    "background",
                    "xlink:href",
                ];
                assert!(
                    !loads.contains(&&key[..]) && !key.starts_with("on"),
                    "{name}: {key}={value}"
                );
            }
        }
        // A browser would load nothing even if it wanted to; nor does the style sheet ask.
        assert!(
            !html.contains("url(") && !html.contains("@import"),
            "{name}"
        );
        let style = html
            .split_once("<style>")
            .unwrap()
            .1
            .split_once("</style>")
            .unwrap()
            .0;
        let digest = Base64::encode_string(&Sha256::digest(style));
        let policy = format!(
            "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
        );
        assert!(html.contains(&policy), "{name}");
        let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&out).unwrap();
        std::fs::write(out.join(&name), &html).unwrap();
    }
}

#[test]
fn text_from_outside_stays_text() {
    let (verdict, file) = hostile();
    for language in Language::ALL {
        let html = page(&verdict, &file, language);
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<i>"));
        assert!(!html.contains('\u{202e}') && !html.contains('\0'));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(html.contains("&lt;b onload=x&gt;"));
        assert!(html.contains("&lt;i&gt;&amp;&quot;&#39;\u{fffd}"));
    }
    // Nor does a terminal obey it.
    assert!(!verdict.text().contains('\u{202e}'));
}

#[test]
fn the_decision_comes_first_and_in_words() {
    let cases = [
        (pass(), "PASS", "CONFORME"),
        (conditional(), "CONDITIONAL", "SOUS RÉSERVE"),
        (fail(), "FAIL", "NON CONFORME"),
    ];
    for ((verdict, file), english, french) in cases {
        for (language, word) in [(Language::English, english), (Language::French, french)] {
            let html = page(&verdict, &file, language);
            let (_, body) = html.split_once("<body>").unwrap();
            let decision = body.find(&format!("<h1>{word}</h1>")).unwrap();
            let root = verdict.root().phrase().text(language);
            assert!(decision < body.find(&root).unwrap());
            assert!(decision < body.find("<table").unwrap());
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
            for check in verdict.checks() {
                assert!(
                    html.contains(check.subject.name(language).replace('\'', "&#39;").as_str())
                );
            }
        }
    }
}

#[test]
fn what_nobody_vouches_for_is_marked() {
    let (verdict, file) = pass();
    let html = page(&verdict, &file, Language::English);
    assert!(html.contains("vouched for</td>"));
    // The logs of this one do not lead to its registers: nothing in them is vouched for.
    let (verdict, file) = judged(&Stand::default(), |evidence| {
        let mut body = evidence.body().clone();
        body.firmware_log
            .extend(stand::event(4, stand::APPLICATION, b"later"));
        Evidence::new(body, evidence.quotes().to_vec())
    });
    assert_eq!(verdict.decision(), Decision::Fail);
    let html = page(&verdict, &file, Language::English);
    assert!(html.contains("all of this is only claimed"));
    assert!(!html.contains(">vouched for<") && !html.contains(">in part<"));
    assert!(html.contains("these values are only claimed"));
}

#[test]
fn the_ear_says_what_the_verdict_says() {
    let cases = [
        (pass(), "affirming", 2, 3),
        (conditional(), "warning", -33, 3),
        (fail(), "contraindicated", 2, 33),
    ];
    for ((verdict, _), status, instance, executables) in cases {
        let ear = Ear::of(&verdict, NOW);
        let claims = ear.claims();
        assert_eq!(claims["eat_profile"], PROFILE);
        assert_eq!(claims["iat"], NOW / 1000);
        let appraisal = &claims["submods"]["appliance"];
        assert_eq!(appraisal["ear_status"], status, "{}", verdict.text());
        let vector = &appraisal["ear_trustworthiness_vector"];
        assert_eq!(vector["instance-identity"], instance);
        assert_eq!(vector["executables"], executables);
        // No vendor vouches for this TPM, and nobody looked at memory or disks.
        for silent in [
            "hardware",
            "file-system",
            "runtime-opaque",
            "storage-opaque",
            "sourced-data",
        ] {
            assert!(vector.get(silent).is_none(), "{silent}");
        }
    }
    // What is forged is nobody's.
    let (verdict, _) = judged(&Stand::default(), |evidence| {
        let mut quote = evidence.quotes()[0].clone();
        quote.signature = stand::sign(&Stand::default().ek, &Digest::of(&quote.attest));
        Evidence::new(evidence.body().clone(), vec![quote])
    });
    let ear = Ear::of(&verdict, NOW);
    let vector = &ear.claims()["submods"]["appliance"]["ear_trustworthiness_vector"];
    assert_eq!(vector["instance-identity"], 99);
    assert_eq!(vector["executables"], 99);
}

#[test]
fn a_development_root_is_never_affirmed() {
    let stand = Stand {
        root: Root::Development,
        ..Stand::default()
    };
    let auditor = stand.auditor();
    let bytes = stand.evidence(&auditor.challenge).to_bytes();
    let verdict = stand.judge_with(&auditor, &bytes, |mut inputs| {
        inputs.accept_development = true;
        inputs
    });
    let verdict = verdict.unwrap();
    assert_eq!(verdict.decision(), Decision::Pass);
    let ear = Ear::of(&verdict, NOW);
    assert_eq!(
        ear.claims()["submods"]["appliance"]["ear_status"],
        "warning"
    );
    let html = page(&verdict, &bytes, Language::English);
    assert!(html.contains("but this is a trial"));
}

#[test]
fn a_signed_ear_is_a_jwt_of_its_claims() {
    let (verdict, _) = pass();
    let key = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let ear = Ear::of(&verdict, NOW);
    let token = ear.signed(&key).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| Base64UrlUnpadded::decode_vec(part).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&decode(parts[0])).unwrap();
    assert_eq!(header["alg"], "ES256");
    let claims: serde_json::Value = serde_json::from_slice(&decode(parts[1])).unwrap();
    assert_eq!(&claims, ear.claims());
    let signature = p256::ecdsa::Signature::from_slice(&decode(parts[2])).unwrap();
    let message = format!("{}.{}", parts[0], parts[1]);
    key.verifying_key()
        .verify(message.as_bytes(), &signature)
        .unwrap();
}
