//! `agentd selftest`, for operators.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::{Founded, Passed, SelfTestError};
use crate::code;
use crate::enter::{EnterError, Ground};
use crate::pack::Kind;
use crate::sandbox::enclosure::{Enclosure, PACKS};
use crate::sandbox::{How, Profile, Refusal};

/// Arguments of `agentd selftest`.
#[derive(Debug, Args)]
pub struct SelfTest {
    #[command(flatten)]
    ground: Ground,
    /// Only this profile. May be repeated
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// Print the findings and their digest as JSON
    #[arg(long)]
    json: bool,
}

impl SelfTest {
    /// Makes agentd's rooms and the attempts in them; what was found is printed.
    ///
    /// # Errors
    /// [`EnterError`] if the rooms could not be made.
    pub fn run(self) -> Result<How, EnterError> {
        for profile in &self.profiles {
            Profile::shipped(profile)?;
        }
        let packs = self.ground.mount_packs()?;
        let root = packs
            .iter()
            .find(|pack| pack.manifest.kind() == Kind::Root)
            .map(|pack| format!("{PACKS}/{}", pack.manifest.name))
            .ok_or_else(|| {
                let why = "none of the packs is a root";
                Refusal::new(&code::SANDBOX_ORDER, "the self-test was not made", why)
            })?;
        let form = if self.json { "json" } else { "text" };
        let mut arguments = vec!["selftest-inside".to_owned(), form.to_owned(), root];
        arguments.extend(self.profiles);
        let enclosure = Enclosure {
            egress: None,
            packs,
            programs: None,
            extra: Vec::new(),
            uid_base: self.ground.uid_base,
            uid_count: self.ground.uid_count,
            passed: None,
            arguments,
        };
        Ok(enclosure.run()?)
    }
}

/// The inner half: prints what was found.
///
/// # Errors
/// [`SelfTestError`] of the first layer that is missing.
pub fn inside(form: &str, root: &str, profiles: &[String]) -> Result<How, SelfTestError> {
    let named: Vec<&str> = if profiles.is_empty() {
        Profile::names().collect()
    } else {
        profiles.iter().map(String::as_str).collect()
    };
    let passed = match super::found(root, named, &[])? {
        Founded::Supervisor(passed) => passed,
        Founded::Builder(how) => return Ok(how),
    };
    let text = if form == "json" {
        in_json(&passed)
    } else {
        in_words(&passed)
    };
    // If the output is gone there is nobody to tell.
    let _gone = io::stdout().write_all(text.as_bytes());
    Ok(How::Exited(0))
}

fn in_words(passed: &Passed) -> String {
    let mut text = String::new();
    for tested in &passed.profiles {
        text.push_str(&format!(
            "{:<10} {} attempts, every layer stands\n",
            tested.profile,
            tested.findings.len()
        ));
    }
    text.push_str(&format!("digest     {}\n", passed.digest()));
    text
}

fn in_json(passed: &Passed) -> String {
    let findings = |all: &[super::Finding]| -> serde_json::Map<String, serde_json::Value> {
        all.iter()
            .map(|found| (found.attempt.clone(), json!(found.answer)))
            .collect()
    };
    let profiles: serde_json::Map<String, serde_json::Value> = passed
        .profiles
        .iter()
        .map(|tested| (tested.profile.clone(), json!(findings(&tested.findings))))
        .collect();
    let whole = json!({
        "outside": findings(&passed.control),
        "profiles": profiles,
        "digest": passed.digest().to_string(),
    });
    format!("{whole:#}\n")
}
