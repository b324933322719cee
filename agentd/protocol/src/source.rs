//! A workflow as people write it: a folder of `workflow.toml` and `*.star`
//! files, turned into a [`Bundle`].
//!
//! Reading the folder is the caller's work; this module only judges texts. The
//! rules that hold for every bundle, however it came, are in [`Bundle::check`]:
//! a daemon that is handed bundle bytes by a client applies them too.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::action::Verb;
use crate::bundle::{Bundle, VERSION};
use crate::code::{self, Code};
use crate::egress::Endpoint;
use crate::job::{Grants, Limits, OnInterrupt};

/// Name of the declaration file in a workflow's folder.
pub const DECLARATION: &str = "workflow.toml";
/// Name of the entry script.
pub const MAIN: &str = "main.star";
/// Most files of a bundle.
pub const MAX_FILES: usize = 64;
/// Most bytes of all files of a bundle together.
pub const MAX_BYTES: usize = 1 << 20;
/// Most hosts and ports of a workflow.
pub const MAX_ENDPOINTS: usize = 32;

/// Why a workflow's folder or bundle was not accepted.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SourceError {
    /// The declaration is not TOML, lacks a key or has an unknown one.
    #[error("workflow.toml: {0}")]
    Declaration(String),
    /// Another format version than this program reads.
    #[error("workflow.toml: version is {found}, this program reads version {VERSION}")]
    Version {
        /// What it says.
        found: u32,
    },
    /// A value is outside what its key allows.
    #[error("workflow.toml: `{key}`: {why}")]
    Value {
        /// The key, with its table.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be part of a bundle.
    #[error("{path:?}: {why}")]
    File {
        /// Its path in the folder.
        path: String,
        /// Why not.
        why: String,
    },
    /// There is no `main.star`.
    #[error("the folder holds no main.star")]
    NoMain,
}

impl SourceError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Declaration(_) | Self::Version { .. } | Self::Value { .. } => {
                &code::WORKFLOW_DECLARATION
            }
            Self::File { .. } | Self::NoMain => &code::WORKFLOW_FILES,
        }
    }

    fn value(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Value {
            key: key.into(),
            why: why.into(),
        }
    }
}

/// `workflow.toml` as written: raw, and refusing what it does not know.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    version: u32,
    name: String,
    summary: String,
    on_interrupt: Interrupted,
    grants: DeclaredGrants,
    #[serde(default)]
    limits: DeclaredLimits,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// `on_interrupt` has no default: whether a run may be repeated is a decision.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Interrupted {
    Requeue,
    Fail,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredGrants {
    verbs: Vec<String>,
    #[serde(default)]
    applications: Vec<String>,
    #[serde(default)]
    outputs: Vec<String>,
    #[serde(default)]
    egress: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredLimits {
    seconds: Option<u32>,
    desktop_mib: Option<u32>,
    script_mib: Option<u32>,
    hands_mib: Option<u32>,
    workspace_mib: Option<u32>,
    steps: Option<u32>,
}

/// A limit: its key, what holds if it is not declared, and its range.
struct Bound {
    key: &'static str,
    default: u32,
    least: u32,
    most: u32,
}

/// A quarter of an hour does a screenful of documents; a day is the longest job.
const SECONDS: Bound = Bound {
    key: "seconds",
    default: 900,
    least: 10,
    most: 86_400,
};
/// Display, window manager, accessibility bus and two office programs.
const DESKTOP_MIB: Bound = Bound {
    key: "desktop_mib",
    default: 1024,
    least: 256,
    most: 16_384,
};
/// A script works on text; 256 MiB is ample and small enough to kill quickly.
const SCRIPT_MIB: Bound = Bound {
    key: "script_mib",
    default: 256,
    least: 64,
    most: 2048,
};
/// The text recognition models and one full-screen picture at work.
const HANDS_MIB: Bound = Bound {
    key: "hands_mib",
    default: 1024,
    least: 512,
    most: 8192,
};
/// Inputs, outputs and what applications write beside them.
const WORKSPACE_MIB: Bound = Bound {
    key: "workspace_mib",
    default: 256,
    least: 16,
    most: 8192,
};
/// Every action is an audited event.
const STEPS: Bound = Bound {
    key: "steps",
    default: 2000,
    least: 1,
    most: 100_000,
};

impl Bound {
    fn or_default(&self, declared: Option<u32>) -> u32 {
        declared.unwrap_or(self.default)
    }

    fn check(&self, value: u32) -> Result<(), SourceError> {
        if (self.least..=self.most).contains(&value) {
            return Ok(());
        }
        Err(SourceError::value(
            format!("limits.{}", self.key),
            format!("{value} is outside {} to {}", self.least, self.most),
        ))
    }
}

impl From<DeclaredLimits> for Limits {
    fn from(declared: DeclaredLimits) -> Self {
        Self {
            seconds: SECONDS.or_default(declared.seconds),
            desktop_mib: DESKTOP_MIB.or_default(declared.desktop_mib),
            script_mib: SCRIPT_MIB.or_default(declared.script_mib),
            hands_mib: HANDS_MIB.or_default(declared.hands_mib),
            workspace_mib: WORKSPACE_MIB.or_default(declared.workspace_mib),
            steps: STEPS.or_default(declared.steps),
        }
    }
}

impl Bundle {
    /// Turns a workflow's folder into a bundle: the text of `workflow.toml`, and
    /// every other file by its path relative to the folder, with `/` between
    /// folders. The order of `files` does not matter.
    ///
    /// The result keeps [`Bundle::check`]; whether the script is sound is for
    /// the interpreter's check to say.
    ///
    /// # Errors
    /// [`SourceError`] names the key or the file.
    pub fn from_source(
        declaration: &str,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, SourceError> {
        let declared: Declaration = toml::from_str(declaration)
            .map_err(|e| SourceError::Declaration(e.to_string().trim_end().to_owned()))?;
        let mut files: Vec<_> = files
            .into_iter()
            .map(|(path, bytes)| (path, bytes.into()))
            .collect();
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let bundle = Self {
            version: declared.version,
            name: declared.name,
            summary: declared.summary,
            files,
            grants: declared.grants.try_into()?,
            limits: declared.limits.into(),
            on_interrupt: match declared.on_interrupt {
                Interrupted::Requeue => OnInterrupt::Requeue,
                Interrupted::Fail => OnInterrupt::Fail,
            },
            parameters: declared.parameters.into_iter().collect(),
        };
        bundle.check()?;
        Ok(bundle)
    }

    /// Whether this is a bundle that a workflow's folder can give: names, lists
    /// and limits in range, lists ascending and without duplicates, files that
    /// are scripts, `main.star` among them.
    ///
    /// # Errors
    /// [`SourceError`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), SourceError> {
        if self.version != VERSION {
            return Err(SourceError::Version {
                found: self.version,
            });
        }
        check_name("name", &self.name)?;
        check_line("summary", &self.summary)?;
        check_grants(&self.grants)?;
        check_limits(&self.limits)?;
        check_parameters(&self.parameters)?;
        check_files(&self.files)
    }
}

impl TryFrom<DeclaredGrants> for Grants {
    type Error = SourceError;

    fn try_from(declared: DeclaredGrants) -> Result<Self, SourceError> {
        let mut verbs = Vec::with_capacity(declared.verbs.len());
        for word in &declared.verbs {
            verbs.push(Verb::from_word(word).ok_or_else(|| {
                let known: Vec<_> = Verb::ALL.into_iter().map(Verb::word).collect();
                SourceError::value(
                    "grants.verbs",
                    format!("{word:?} is no verb; there are {}", known.join(", ")),
                )
            })?);
        }
        verbs.sort_unstable();
        let mut egress = Vec::with_capacity(declared.egress.len());
        for text in &declared.egress {
            egress.push(Endpoint::parse(text).ok_or_else(|| not_an_endpoint(text))?);
        }
        egress.sort_unstable();
        let mut grants = Self {
            verbs,
            applications: declared.applications,
            outputs: declared.outputs,
            egress: (!egress.is_empty()).then_some(egress),
        };
        grants.applications.sort_unstable();
        grants.outputs.sort_unstable();
        Ok(grants)
    }
}

fn check_grants(grants: &Grants) -> Result<(), SourceError> {
    check_ascending("grants.verbs", &grants.verbs, |verb| verb.word().to_owned())?;
    check_ascending("grants.applications", &grants.applications, Clone::clone)?;
    check_ascending("grants.outputs", &grants.outputs, Clone::clone)?;
    if grants.egress.as_ref().is_some_and(Vec::is_empty) {
        let why = "an empty list is written as no list";
        return Err(SourceError::value("grants.egress", why));
    }
    check_egress(grants.egress())?;
    for name in &grants.applications {
        check_name("grants.applications", name)?;
    }
    for name in &grants.outputs {
        if !is_file_name(name) {
            return Err(SourceError::value(
                "grants.outputs",
                format!("{name:?} is not a plain file name"),
            ));
        }
    }
    Ok(())
}

fn check_egress(egress: &[Endpoint]) -> Result<(), SourceError> {
    check_ascending("grants.egress", egress, ToString::to_string)?;
    if egress.len() > MAX_ENDPOINTS {
        let why = format!("a workflow reaches at most {MAX_ENDPOINTS} hosts and ports");
        return Err(SourceError::value("grants.egress", why));
    }
    match egress.iter().find(|endpoint| !endpoint.is_sound()) {
        Some(endpoint) => Err(not_an_endpoint(&endpoint.to_string())),
        None => Ok(()),
    }
}

fn not_an_endpoint(text: &str) -> SourceError {
    let why = "is not NAME:PORT, the name in lower case, no address, at most one leading `*.`";
    SourceError::value("grants.egress", format!("{text:?} {why}"))
}

fn check_limits(limits: &Limits) -> Result<(), SourceError> {
    SECONDS.check(limits.seconds)?;
    DESKTOP_MIB.check(limits.desktop_mib)?;
    SCRIPT_MIB.check(limits.script_mib)?;
    HANDS_MIB.check(limits.hands_mib)?;
    WORKSPACE_MIB.check(limits.workspace_mib)?;
    STEPS.check(limits.steps)
}

fn check_parameters(parameters: &[(String, String)]) -> Result<(), SourceError> {
    check_ascending("parameters", parameters, |(name, _)| name.clone())?;
    for (name, default) in parameters {
        if name.is_empty()
            || name.len() > 64
            || !name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            return Err(SourceError::value(
                "parameters",
                format!("{name:?} is not 1 to 64 of a-z, 0-9 and `_`"),
            ));
        }
        if default.len() > 4096 {
            return Err(SourceError::value(
                format!("parameters.{name}"),
                "the default is longer than 4096 bytes",
            ));
        }
    }
    Ok(())
}

fn check_files(files: &[(String, minicbor::bytes::ByteVec)]) -> Result<(), SourceError> {
    let refuse = |path: &str, why: &str| {
        Err(SourceError::File {
            path: path.to_owned(),
            why: why.to_owned(),
        })
    };
    let mut total = 0usize;
    let mut before: Option<&str> = None;
    for (number, (path, bytes)) in files.iter().enumerate() {
        total = total.saturating_add(bytes.len());
        if number >= MAX_FILES {
            return refuse(path, "a workflow has at most 64 files");
        }
        if total > MAX_BYTES {
            return refuse(path, "the files of a workflow are at most 1 MiB together");
        }
        if before.is_some_and(|before| before >= path.as_str()) {
            return refuse(path, "the files are not ascending by path, each once");
        }
        before = Some(path);
        if !path.ends_with(".star") || path.len() > 200 || !path.split('/').all(is_file_name) {
            return refuse(
                path,
                "not a path of plain names that ends in .star; a workflow holds scripts only",
            );
        }
        if std::str::from_utf8(bytes).is_err() {
            return refuse(path, "not UTF-8 text");
        }
    }
    if files.iter().any(|(path, _)| path == MAIN) {
        Ok(())
    } else {
        Err(SourceError::NoMain)
    }
}

fn check_ascending<T: Ord>(
    key: &str,
    list: &[T],
    show: impl Fn(&T) -> String,
) -> Result<(), SourceError> {
    match list.windows(2).find(|pair| pair.first() >= pair.last()) {
        None => Ok(()),
        Some(pair) => Err(SourceError::value(
            key,
            format!(
                "{:?} is there twice or out of order",
                pair.last().map(show).unwrap_or_default()
            ),
        )),
    }
}

/// Names that people type: `[a-z0-9-]{1,64}`.
fn check_name(key: &str, name: &str) -> Result<(), SourceError> {
    if (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Ok(());
    }
    Err(SourceError::value(
        key,
        format!("{name:?} is not 1 to 64 of a-z, 0-9 and `-`"),
    ))
}

fn check_line(key: &str, line: &str) -> Result<(), SourceError> {
    if (1..=200).contains(&line.len()) && !line.chars().any(char::is_control) {
        return Ok(());
    }
    Err(SourceError::value(key, "not one line of 1 to 200 bytes"))
}

/// A name that is one file in one folder, wherever it is written to.
fn is_file_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
version = 1
name = "copy"
summary = "Copies a cell."
on_interrupt = "requeue"

[grants]
verbs = ["open", "cell", "files"]
applications = ["gnumeric"]
outputs = ["b.xlsx", "a.xlsx"]
egress = ["b.example:80", "a.example:443"]

[limits]
seconds = 60

[parameters]
cell = "B7"
"#;

    fn source(declaration: &str, paths: &[&str]) -> Result<Bundle, SourceError> {
        Bundle::from_source(
            declaration,
            paths
                .iter()
                .map(|path| ((*path).to_owned(), b"x = 1\n".to_vec())),
        )
    }

    #[test]
    fn a_folder_becomes_a_bundle_in_canonical_order() {
        let bundle = source(GOOD, &["main.star", "lib/cells.star"]).unwrap();
        assert_eq!(bundle.grants.verbs, [Verb::Open, Verb::Cell, Verb::Files]);
        assert_eq!(bundle.grants.outputs, ["a.xlsx", "b.xlsx"]);
        assert_eq!(bundle.grants.egress()[0].to_string(), "a.example:443");
        assert_eq!(bundle.limits.seconds, 60);
        assert_eq!(bundle.limits.script_mib, SCRIPT_MIB.default);
        let paths: Vec<_> = bundle.files.iter().map(|(p, _)| p.as_str()).collect();
        assert_eq!(paths, ["lib/cells.star", "main.star"]);
        assert_eq!(
            bundle.digest(),
            source(GOOD, &["lib/cells.star", "main.star"])
                .unwrap()
                .digest()
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: &[(&str, &str, &str)] = &[
            ("version = 1", "version = 2", "version is 2"),
            ("\"copy\"", "\"Copy It\"", "`name`"),
            ("Copies a cell.", "two\\nlines", "`summary`"),
            ("\"requeue\"", "\"maybe\"", "unknown variant `maybe`"),
            ("\"cell\"", "\"shell\"", "\"shell\" is no verb"),
            (
                "\"cell\"",
                "\"open\"",
                "`grants.verbs`: \"open\" is there twice",
            ),
            ("\"gnumeric\"", "\"../sh\"", "`grants.applications`"),
            ("\"b.xlsx\"", "\"../b.xlsx\"", "not a plain file name"),
            ("\"b.xlsx\"", "\".hidden\"", "not a plain file name"),
            ("a.example:443", "10.0.0.1:443", "`grants.egress`"),
            ("a.example:443", "b.example:80", "`grants.egress`"),
            ("seconds = 60", "seconds = 0", "`limits.seconds`"),
            ("seconds = 60", "hours = 1", "unknown field `hours`"),
            ("cell = \"B7\"", "\"Cell Name\" = \"B7\"", "`parameters`"),
            ("cell = \"B7\"", "cell = 7", "expected a string"),
            ("name = \"copy\"", "", "missing field `name`"),
            ("[grants]", "[grants", "workflow.toml"),
        ];
        for (good, bad, say) in cases {
            let text = GOOD.replacen(good, bad, 1);
            let error = source(&text, &["main.star"]).unwrap_err().to_string();
            assert!(error.contains(say), "{bad}: {error}");
        }
    }

    #[test]
    fn only_scripts_by_plain_paths_are_taken() {
        for paths in [
            &["../main.star", "main.star"][..],
            &["/main.star", "main.star"],
            &["a//b.star", "main.star"],
            &["main.star", "main.star"],
            &["main.star", "run.sh"],
            &["main.star", "..star"],
        ] {
            assert!(
                matches!(source(GOOD, paths), Err(SourceError::File { .. })),
                "{paths:?}"
            );
        }
        assert_eq!(source(GOOD, &["lib.star"]), Err(SourceError::NoMain));
        let binary = Bundle::from_source(GOOD, [(MAIN.to_owned(), vec![0xff])]);
        assert!(matches!(binary, Err(SourceError::File { .. })));
        let large = Bundle::from_source(GOOD, [(MAIN.to_owned(), vec![b' '; MAX_BYTES + 1])]);
        assert!(matches!(large, Err(SourceError::File { .. })));
    }
}
