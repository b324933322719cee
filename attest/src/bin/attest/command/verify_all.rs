//! `attest verify --all`: every file below a folder, judged in parallel.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use casemate_attest::code;
use casemate_attest::evidence::MAX_EVIDENCE;
use casemate_attest::ledger::Entry;
use casemate_attest::messages::{Language, phrases};
use casemate_attest::verdict::{Decision, Verdict};
use casemate_attest::verify::Verifier;
use serde_json::{Value, json};

use super::verify::{entry, unjudged};
use crate::failure::{Exit, Failure};
use crate::file;
use crate::ledger_file::LedgerFile;

/// How the verdicts are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) json: bool,
    pub(super) language: Language,
}

/// One file and what came of it.
struct Judged {
    path: PathBuf,
    verdict: Result<Verdict, Failure>,
    entry: Option<Entry>,
}

/// How many files came out how.
#[derive(Debug, Default)]
struct Count {
    pass: usize,
    conditional: usize,
    fail: usize,
    malformed: usize,
}

pub(super) fn run(
    folder: &Path,
    verifier: &Verifier<'_>,
    ledger: Option<&mut LedgerFile>,
    style: Style,
) -> Result<ExitCode, Failure> {
    let paths = file::below(folder, true)?;
    let mut judged = judge(&paths, verifier, ledger.is_some());
    if judged.len() != paths.len() {
        let (what, why) = (
            "cannot judge every file",
            "a thread of this program broke down",
        );
        return Err(Failure::new(
            Exit::Internal,
            &code::VERDICT_INCOMPLETE,
            what,
            why,
        ));
    }
    if let Some(ledger) = ledger {
        record(&mut judged, ledger)?;
    }
    let mut count = Count::default();
    let mut text = String::new();
    for one in &judged {
        count.add(&one.verdict);
        text.push_str(&one.line(style));
    }
    text.push_str(&count.line(style));
    file::say(&text)?;
    Ok(if count.pass == judged.len() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.code()
    })
}

/// Judges the files on every processor; in the order of their names whoever was first.
fn judge(paths: &[PathBuf], verifier: &Verifier<'_>, recorded: bool) -> Vec<Judged> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut judged = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(at) else {
                return judged;
            };
            judged.push((at, judge_one(path, verifier, recorded)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut judged: Vec<(usize, Judged)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let done = workers.into_iter().filter_map(|worker| worker.join().ok());
        done.flatten().collect()
    });
    judged.sort_by_key(|(at, _)| *at);
    judged.into_iter().map(|(_, judged)| judged).collect()
}

fn judge_one(path: &Path, verifier: &Verifier<'_>, recorded: bool) -> Judged {
    let (verdict, entry) = match file::read(path, MAX_EVIDENCE) {
        Err(failure) => (Err(failure), None),
        Ok(evidence) => {
            let judged = verifier.judge(&evidence);
            let entry = recorded.then(|| entry(&judged, &evidence, verifier));
            (judged.map_err(|error| unjudged(path, &error)), entry)
        }
    };
    Judged {
        path: path.to_owned(),
        verdict,
        entry,
    }
}

/// Holds each verdict against the ledger and records it: the evidences of one key in the order of
/// its clock, so that the order of the files' names says nothing.
fn record(judged: &mut [Judged], ledger: &mut LedgerFile) -> Result<(), Failure> {
    let mut order: Vec<&mut Judged> = judged.iter_mut().collect();
    order.sort_by_cached_key(|one| {
        let entry = one.entry.as_ref();
        let clock = entry.and_then(|entry| entry.clock).map(|seen| seen.clock);
        let clock = clock.map(|clock| (clock.resets, clock.restarts, clock.ms));
        (entry.map(|entry| entry.key.clone()), clock)
    });
    for one in order {
        let Some(entry) = one.entry.take() else {
            continue;
        };
        if let Ok(verdict) = &mut one.verdict {
            *verdict = ledger.compare(verdict.clone(), &entry, None);
        }
        ledger.push(entry, one.verdict.as_ref().ok());
    }
    ledger.flush()
}

impl Judged {
    fn line(&self, style: Style) -> String {
        let path = file::name(&self.path);
        if style.json {
            let value = match &self.verdict {
                Ok(verdict) => verdict.json_in(style.language),
                Err(failure) => json!({
                    "verdict": MALFORMED,
                    "line": format!("{MALFORMED}: {}", failure.code().id),
                    "detail": failure.sentence(),
                }),
            };
            return format!("{}\n", with_file(value, &path));
        }
        match &self.verdict {
            Ok(verdict) => format!("{path}: {}\n", verdict.line_in(style.language)),
            Err(failure) => {
                let word = phrases::decision_malformed().text(style.language);
                let colon = style.language.colon();
                format!("{path}: {word}{colon} {}\n", failure.code().id)
            }
        }
    }
}

const MALFORMED: &str = "MALFORMED";

fn with_file(mut value: Value, path: &str) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.insert("file".to_owned(), Value::from(path));
    }
    value
}

impl Count {
    fn add(&mut self, verdict: &Result<Verdict, Failure>) {
        let count = match verdict.as_ref().map(Verdict::decision) {
            Ok(Decision::Pass) => &mut self.pass,
            Ok(Decision::Conditional) => &mut self.conditional,
            Ok(Decision::Fail) => &mut self.fail,
            Err(_) => &mut self.malformed,
        };
        *count = count.saturating_add(1);
    }

    fn line(&self, style: Style) -> String {
        let Self {
            pass,
            conditional,
            fail,
            malformed,
        } = *self;
        let all = [pass, conditional, fail, malformed].iter().sum::<usize>();
        if style.json {
            let summary = json!({
                "files": all, "PASS": pass, "CONDITIONAL": conditional, "FAIL": fail,
                "MALFORMED": malformed,
            });
            return format!("{}\n", json!({ "summary": summary }));
        }
        let said = phrases::all_judged(all, pass, conditional, fail, malformed);
        format!("{}\n", said.text(style.language))
    }
}
