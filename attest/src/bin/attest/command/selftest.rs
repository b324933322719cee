//! `attest selftest`.

use std::process::ExitCode;

use casemate_attest::messages::{Language, identity};
use casemate_attest::selftest::{Case, Outcome, cases};
use clap::Args;
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::file;

#[derive(Debug, Args)]
pub(crate) struct SelfTest {
    /// Write the outcomes as JSON
    #[arg(long)]
    json: bool,
    /// The language: en or fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Language,
}

impl SelfTest {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let outcomes: Vec<Outcome> = cases().into_iter().map(Case::run).collect();
        let wrong = outcomes.iter().filter(|outcome| !outcome.holds()).count();
        let summary = if wrong == 0 {
            identity::selftest_holds(outcomes.len())
        } else {
            identity::selftest_fails(wrong, outcomes.len())
        };
        let summary = summary.text(self.lang);
        file::say(&if self.json {
            let cases: Vec<Value> = outcomes.iter().map(case_json).collect();
            let report = json!({ "holds": wrong == 0, "summary": summary, "cases": cases });
            format!("{report:#}\n")
        } else {
            let lines: String = outcomes.iter().map(line).collect();
            format!("{lines}\n{summary}\n")
        })?;
        Ok(if wrong == 0 {
            ExitCode::SUCCESS
        } else {
            Exit::Failed.code()
        })
    }
}

/// One line of at most 80 columns.
fn line(outcome: &Outcome) -> String {
    let (case, found) = (outcome.case, outcome.found);
    let (mark, expected) = if outcome.holds() {
        ("ok  ", String::new())
    } else {
        ("FAIL", format!(", must be {}", case.expected))
    };
    format!(
        "{mark} {:<12}{:<40}{found}{expected}\n",
        case.area, case.name
    )
}

fn case_json(outcome: &Outcome) -> Value {
    json!({
        "area": outcome.case.area,
        "case": outcome.case.name,
        "expected": outcome.case.expected,
        "found": outcome.found,
        "holds": outcome.holds(),
    })
}
