//! The story of `make run`: a real job, and an auditor who proves what did it.
//!
//! Two people act in it. The operator has the appliance and `casemate`; the auditor
//! has `attest`, an owner's key and files, and trusts nothing else. What is printed
//! at the end is counted from what the programs answered, never assumed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use calamine::{Data, Reader, Xlsx, open_workbook};
use serde_json::Value;

use super::{Stand, StandError, io_error, run};

/// What came of the job and of its audit.
#[derive(Debug, Clone)]
pub struct Account {
    /// The job's id.
    pub job: String,
    /// From `job run` to its end.
    pub took: Duration,
    /// Steps performed.
    pub steps: u64,
    /// Rows of the result.
    pub rows: u64,
    /// Findings: item and text.
    pub findings: Vec<(String, String)>,
    /// Artifacts kept.
    pub artifacts: u64,
    /// Cells of the saved spreadsheet that were compared with the truth.
    pub cells: usize,
    /// Entries of the audit log and its root.
    pub audit: (u64, String),
    /// First line of the verdict.
    pub verdict: String,
    /// The job's own exit code.
    pub exit: i32,
}

/// Makes a fresh set of documents with their truth.
///
/// # Errors
/// See [`StandError`].
pub fn documents(stand: &Stand, seed: u64, folder: &Path) -> Result<(), StandError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error(folder.display().to_string())(e));
        }
        _ => {}
    }
    let program = stand.layout.program("make-invoices");
    run(Command::new(program)
        .args(["--seed", &seed.to_string(), "--out"])
        .arg(folder))
    .map(drop)
}

/// Copies only the PDF documents of a set into a folder for the job.
///
/// # Errors
/// See [`StandError`].
pub fn inputs(set: &Path, only: Option<&[&str]>, folder: &Path) -> Result<usize, StandError> {
    let failed = |e| io_error(folder.display().to_string())(e);
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::create_dir_all(folder).map_err(failed)?;
    let mut count = 0usize;
    for entry in fs::read_dir(set).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let wanted = only.is_none_or(|only| only.contains(&name.as_str()));
        if name.ends_with(".pdf") && wanted {
            fs::copy(&path, folder.join(&name)).map_err(failed)?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// The workflow of the example.
pub fn workflow() -> PathBuf {
    super::layout::repository().join("docs/examples/invoices/workflow")
}

/// Runs the job, its steps printed as they happen.
///
/// # Errors
/// See [`StandError`]; a job that fails is not one of them.
pub fn job(
    stand: &Stand,
    inputs: &Path,
    out: &Path,
    quiet: bool,
) -> Result<(i32, Duration), StandError> {
    run(stand.casemate(&["workflow", "add"]).arg(workflow()))?;
    let began = Instant::now();
    let mut command = stand.casemate(&["job", "run", "invoices", "--wait", "--input"]);
    command
        .arg(inputs)
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null());
    if quiet {
        command.stdout(Stdio::null());
    }
    let status = command.status().map_err(io_error("casemate"))?;
    Ok((status.code().unwrap_or(70), began.elapsed()))
}

/// The newest job, as `casemate` describes it.
///
/// # Errors
/// See [`StandError`].
pub fn newest(stand: &Stand) -> Result<Value, StandError> {
    let jobs = stand.json(&["job", "list"])?;
    let list = jobs
        .as_array()
        .or_else(|| jobs.get("jobs").and_then(Value::as_array));
    list.and_then(|list| list.first())
        .cloned()
        .ok_or_else(|| StandError::Wrong("casemate lists no job".to_owned()))
}

/// Events of one kind of a job.
///
/// # Errors
/// See [`StandError`].
pub fn events(stand: &Stand, job: &str, kind: &str) -> Result<Vec<Value>, StandError> {
    let output = run(&mut stand.casemate(&["--json", "job", "events", job]))?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found = Vec::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_str(line)
            .map_err(|e| StandError::Wrong(format!("an event is not JSON ({e}): {line}")))?;
        if event.get("kind").and_then(Value::as_str) == Some(kind) {
            found.push(event);
        }
    }
    Ok(found)
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Compares every cell of the saved spreadsheet with the truth of the set.
///
/// The truth is written by the recipe that drew the documents; the spreadsheet came
/// out of the appliance. Neither has seen the other.
///
/// # Errors
/// [`StandError::Wrong`] names the first cell that differs.
pub fn compare(xlsx: &Path, truth: &Path) -> Result<usize, StandError> {
    let expected = fs::read_to_string(truth).map_err(io_error(truth.display().to_string()))?;
    let expected: Vec<Vec<&str>> = expected
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let wrong = |why: String| StandError::Wrong(format!("{}: {why}", xlsx.display()));
    let mut book: Xlsx<_> =
        open_workbook(xlsx).map_err(|e: calamine::XlsxError| wrong(e.to_string()))?;
    let sheet = book
        .worksheet_range_at(0)
        .ok_or_else(|| wrong("it has no sheet".to_owned()))?
        .map_err(|e| wrong(e.to_string()))?;
    let rows: Vec<&[Data]> = sheet.rows().collect();
    if rows.len() != expected.len() || expected.len() < 2 {
        return Err(wrong(format!(
            "expected {} rows, found {}",
            expected.len(),
            rows.len()
        )));
    }
    let mut cells = 0usize;
    for (line, (row, wanted)) in rows.iter().zip(&expected).enumerate() {
        for (column, want) in wanted.iter().enumerate() {
            let found = row.get(column).map(cell).unwrap_or_default();
            if !same(&found, want) {
                let (line, column) = (line + 1, column + 1);
                return Err(wrong(format!(
                    "row {line} column {column}: expected \"{want}\", found \"{found}\""
                )));
            }
            cells = cells.saturating_add(1);
        }
    }
    Ok(cells)
}

fn cell(data: &Data) -> String {
    match data {
        Data::Empty => String::new(),
        Data::Float(value) => format!("{value:.2}"),
        other => other.to_string(),
    }
}

fn same(found: &str, want: &str) -> bool {
    let squashed = |text: &str| text.split_whitespace().collect::<String>();
    found == want
        || squashed(found) == squashed(want)
        || matches!((found.parse::<f64>(), want.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 0.001)
}

/// What the auditor holds: nothing of it came from the appliance but files.
#[derive(Debug)]
pub struct Auditor {
    folder: PathBuf,
    release_key: PathBuf,
}

impl Auditor {
    /// Enrols the appliance once, with an owner's key of the auditor's own.
    ///
    /// # Errors
    /// See [`StandError`].
    pub fn enrol(stand: &Stand, folder: &Path) -> Result<Self, StandError> {
        fs::create_dir_all(folder).map_err(io_error(folder.display().to_string()))?;
        let auditor = Self {
            folder: folder.to_path_buf(),
            release_key: stand.layout.dev("release.pub"),
        };
        if auditor.at("enrolment").exists() {
            return Ok(auditor);
        }
        run(stand
            .casemate(&["enrolment", "--out"])
            .arg(auditor.at("request")))?;
        run(stand
            .attest(&[
                "enrol",
                "--create-owner-key",
                "--root",
                "development",
                "--request",
            ])
            .arg(auditor.at("request"))
            .arg("--owner-key")
            .arg(auditor.at("owner.key"))
            .arg("--out")
            .arg(auditor.at("enrolment")))?;
        Ok(auditor)
    }

    /// A file of the auditor's.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Challenges the appliance; returns the names of challenge, evidence and export.
    ///
    /// # Errors
    /// See [`StandError`].
    pub fn challenge(&self, stand: &Stand) -> Result<(), StandError> {
        for name in ["challenge", "challenge.secret", "evidence", "audit.export"] {
            match fs::remove_file(self.at(name)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io_error(name)(e));
                }
                _ => {}
            }
        }
        run(stand
            .attest(&["challenge", "--enrolment"])
            .arg(self.at("enrolment"))
            .arg("--owner-key")
            .arg(self.at("owner.key"))
            .arg("--out")
            .arg(self.at("challenge")))?;
        run(stand
            .casemate(&["evidence", "--challenge"])
            .arg(self.at("challenge"))
            .arg("--out")
            .arg(self.at("evidence")))?;
        run(stand
            .casemate(&["audit", "export", "--out"])
            .arg(self.at("audit.export")))
        .map(drop)
    }

    /// `attest verify` of an evidence file against the auditor's own files.
    pub fn verify(&self, stand: &Stand, evidence: &Path, more: &[&str]) -> Command {
        let mut command = stand.attest(&["verify"]);
        command
            .arg(evidence)
            .arg("--enrolment")
            .arg(self.at("enrolment"))
            .arg("--owner-key")
            .arg(self.at("owner.key.pub"))
            .arg("--release-key")
            .arg(&self.release_key)
            .arg("--challenge")
            .arg(self.at("challenge"))
            .args(more);
        command
    }
}

/// The auditor's part: enrol once, challenge, judge. The first line of the verdict.
fn audit(stand: &Stand, say: &mut dyn FnMut(&str)) -> Result<String, StandError> {
    say("\nThe auditor, on files alone:\n");
    let auditor = Auditor::enrol(stand, &stand.layout.own().join("auditor"))?;
    auditor.challenge(stand)?;
    let export = auditor.at("audit.export");
    let export = export.to_string_lossy();
    let verify = auditor
        .verify(
            stand,
            &auditor.at("evidence"),
            &["--accept-development", "--audit", &export],
        )
        .stdin(Stdio::null())
        .output()
        .map_err(io_error("attest"))?;
    let words = String::from_utf8_lossy(&verify.stdout).into_owned();
    say(&words);
    if !verify.status.success() {
        let words = format!("{words}{}", String::from_utf8_lossy(&verify.stderr));
        let status = verify.status.to_string();
        return Err(StandError::Program {
            program: "attest verify".to_owned(),
            status,
            words,
        });
    }
    run(&mut stand.casemate(&["audit", "verify"]))?;
    run(stand.attest(&["audit"]).arg(auditor.at("audit.export")))?;
    Ok(words.lines().next().unwrap_or_default().to_owned())
}

/// Everything of the story, in order; `say` prints a line for the reader.
///
/// # Errors
/// See [`StandError`].
pub fn tell(stand: &Stand, seed: u64, say: &mut dyn FnMut(&str)) -> Result<Account, StandError> {
    let own = stand.layout.own().to_path_buf();
    let (set, given, out) = (own.join("documents"), own.join("given"), own.join("out"));
    documents(stand, seed, &set)?;
    let count = inputs(&set, None, &given)?;
    say(&format!(
        "\n{count} invoices were made with seed {seed}: {}\n",
        given.display()
    ));
    if out.exists() {
        fs::remove_dir_all(&out).map_err(io_error(out.display().to_string()))?;
    }
    let (exit, took) = job(stand, &given, &out, false)?;
    let job = newest(stand)?;
    let id = text(&job, "job");
    let findings: Vec<(String, String)> = events(stand, &id, "finding")?
        .iter()
        .map(|event| (text(event, "target"), text(event, "message")))
        .collect();
    if exit != 0 {
        return Err(StandError::Program {
            program: "the job".to_owned(),
            status: format!("{} ({})", text(&job, "state"), text(&job, "code")),
            words: text(&job, "message"),
        });
    }
    let cells = compare(&out.join("invoices.xlsx"), &set.join("expected.tsv"))?;
    let verdict = audit(stand, say)?;
    let head = stand.status()?.get("audit").cloned().unwrap_or_default();
    Ok(Account {
        job: id,
        took,
        steps: number(&job, "steps"),
        rows: number(&job, "rows"),
        findings,
        artifacts: number(&job, "artifacts"),
        cells,
        audit: (number(&head, "size"), text(&head, "root")),
        verdict,
        exit,
    })
}

impl Account {
    /// The account as a table, with where to look.
    pub fn table(&self, stand: &Stand) -> String {
        let own = stand.layout.own().display().to_string();
        let socket = format!("--socket {own}/run/api.sock");
        let clean = self
            .rows
            .saturating_sub(u64::try_from(self.findings.len()).unwrap_or(0));
        let casemate = stand.layout.program("casemate").display().to_string();
        let rows = [
            ("job", self.job.clone()),
            ("time", format!("{:.1} s", self.took.as_secs_f64())),
            ("steps", self.steps.to_string()),
            ("rows", format!("{} read, {clean} clean", self.rows)),
            ("findings", self.findings.len().to_string()),
            (
                "spreadsheet",
                format!("{} cells equal to the truth", self.cells),
            ),
            ("artifacts", self.artifacts.to_string()),
            (
                "audit",
                format!("{} entries, root {}", self.audit.0, self.audit.1),
            ),
            ("verdict", self.verdict.clone()),
            ("results", format!("{own}/out/")),
            ("evidence", format!("{own}/auditor/evidence")),
            ("logs", format!("{own}/run/")),
            (
                "try",
                format!("{casemate} {socket} job events {}", self.job),
            ),
        ];
        let line = |(name, value): &(&str, String)| format!("  {name:<12} {value}\n");
        let mut table: String = rows.iter().map(line).collect();
        for (item, text) in &self.findings {
            table.push_str(&format!("  finding      {item}: {text}\n"));
        }
        table
    }
}
