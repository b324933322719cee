//! `agentd profile`: what the shipped profiles allow, in plain words or as JSON.
//!
//! It reads what is compiled in, so it says what a sandbox of this very program
//! gets; it needs no privilege and starts nothing.

use std::fmt::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::sandbox::profile::facts::{Difference, Fact};
use crate::sandbox::{Profile, Refusal};

/// Width of a terminal.
const WIDTH: usize = 80;
/// Where a line's second column begins.
const COLUMN: usize = 20;

/// Arguments of `agentd profile`.
#[derive(Debug, Args)]
pub struct ProfileCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Name the profiles and say what each is for
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a profile's file
    Show {
        /// The profile
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a profile allows
    Explain {
        /// The profile
        name: String,
        /// Also name every system call with the reason it is allowed
        #[arg(long)]
        calls: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say in what two profiles differ
    Diff {
        /// The first
        a: String,
        /// The second
        b: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl ProfileCommand {
    /// The text to print.
    ///
    /// # Errors
    /// [`Refusal`] with `profile.unknown`.
    pub fn text(&self) -> Result<String, Refusal> {
        match &self.what {
            What::List { json } => list(*json),
            What::Show { name, json } => show(name, *json),
            What::Explain { name, calls, json } => explain(name, *calls, *json),
            What::Diff { a, b, json } => diff(a, b, *json),
        }
    }
}

fn list(as_json: bool) -> Result<String, Refusal> {
    let profiles = Profile::names()
        .map(Profile::shipped)
        .collect::<Result<Vec<_>, _>>()?;
    if as_json {
        let all: Vec<_> = profiles
            .iter()
            .map(|profile| json!({ "name": profile.name(), "about": profile.about() }))
            .collect();
        return Ok(pretty(&json!({ "version": 1, "profiles": all })));
    }
    let mut text = String::new();
    for profile in profiles {
        line(&mut text, 0, 10, profile.name(), profile.about());
    }
    Ok(text)
}

fn show(name: &str, as_json: bool) -> Result<String, Refusal> {
    let source = Profile::source(name)?;
    let table = toml::from_str::<serde_json::Value>(source);
    match table {
        Ok(table) if as_json => Ok(pretty(&table)),
        _ => Ok(source.to_owned()),
    }
}

fn explain(name: &str, calls: bool, as_json: bool) -> Result<String, Refusal> {
    let profile = Profile::shipped(name)?;
    let facts = profile.facts()?;
    let reasons = if calls {
        profile.call_reasons()?
    } else {
        Vec::new()
    };
    if as_json {
        let mut all = json!({
            "version": 1, "name": profile.name(), "about": profile.about(), "facts": facts,
        });
        if let (true, Some(all)) = (calls, all.as_object_mut()) {
            all.insert("calls".to_owned(), json!(reasons));
        }
        return Ok(pretty(&all));
    }
    let mut text = String::new();
    wrapped(&mut text, 0, &format!("{name}: {}.", profile.about()));
    wrapped(
        &mut text,
        0,
        "What is not named here is denied. Every sandbox has all layers, whatever its profile.",
    );
    grouped(
        &mut text,
        &facts,
        |fact| fact.group,
        |text, fact| {
            line(text, 2, COLUMN, &fact.subject, &fact.says);
        },
    );
    if calls {
        grouped(
            &mut text,
            &reasons,
            |_| "Each system call, and why",
            |text: &mut String, fact: &Fact| line(text, 2, COLUMN, &fact.subject, &fact.says),
        );
    }
    Ok(text)
}

fn diff(a: &str, b: &str, as_json: bool) -> Result<String, Refusal> {
    let differences = Profile::shipped(a)?.differences(Profile::shipped(b)?)?;
    if as_json {
        let all = json!({ "version": 1, "first": a, "second": b, "differences": differences });
        return Ok(pretty(&all));
    }
    let mut text = String::new();
    if differences.is_empty() {
        wrapped(&mut text, 0, &format!("{a} and {b} allow the same."));
    }
    let column = COLUMN.max(a.len().max(b.len()) + 6);
    grouped(
        &mut text,
        &differences,
        |one| one.group,
        |text, one: &Difference| {
            wrapped(text, 2, &one.subject);
            for (name, says) in [(a, &one.first), (b, &one.second)] {
                let says = says.as_deref().unwrap_or("nothing");
                line(text, 4, column, name, says);
            }
        },
    );
    Ok(text)
}

/// Each group under its heading.
fn grouped<T>(
    text: &mut String,
    all: &[T],
    group: impl Fn(&T) -> &'static str,
    mut each: impl FnMut(&mut String, &T),
) {
    let mut last = "";
    for one in all {
        if group(one) != last {
            last = group(one);
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(last);
            text.push('\n');
        }
        each(text, one);
    }
}

/// `subject` and, from `column` on, what is said of it.
fn line(text: &mut String, indent: usize, column: usize, subject: &str, says: &str) {
    let mut first = format!("{:indent$}{subject}", "");
    if first.chars().count() + 1 > column {
        text.push_str(&first);
        text.push('\n');
        first = String::new();
    }
    let mut rest = String::new();
    wrapped(&mut rest, column, says);
    let padding = " ".repeat(column.saturating_sub(first.chars().count()));
    // The first line's indent gives way to the subject.
    let _infallible = write!(text, "{first}{padding}{}", rest.trim_start());
}

/// Words at `indent`, no line longer than a terminal is wide.
fn wrapped(text: &mut String, indent: usize, words: &str) {
    let mut length = 0;
    for word in words.split_whitespace() {
        if length > 0 && length + 1 + word.chars().count() > WIDTH {
            text.push('\n');
            length = 0;
        }
        if length == 0 {
            text.push_str(&" ".repeat(indent));
            length = indent;
        } else {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += word.chars().count();
    }
    text.push('\n');
}

fn pretty(value: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_a_terminal_and_every_json_is_json() {
        for name in Profile::names() {
            let texts = [
                list(false).unwrap(),
                explain(name, true, false).unwrap(),
                diff(name, "desktop", false).unwrap(),
            ];
            for text in texts {
                for line in text.lines() {
                    assert!(line.chars().count() <= WIDTH, "{line}");
                    assert_eq!(line.trim_end(), line);
                }
            }
            for json in [
                list(true).unwrap(),
                show(name, true).unwrap(),
                explain(name, true, true).unwrap(),
                diff(name, "browser", true).unwrap(),
            ] {
                serde_json::from_str::<serde_json::Value>(&json).unwrap();
            }
            assert!(
                show(name, false)
                    .unwrap()
                    .contains(&format!("name = \"{name}\""))
            );
        }
    }

    #[test]
    fn an_explanation_names_what_is_and_says_the_rest_is_denied() {
        let text = explain("strict", false, false).unwrap();
        for part in [
            "What is not named here is denied.",
            "/usr/lib          read and execute",
            "memory            512 MiB in all",
            "user namespaces   cannot be made",
            "hosts             none: there is no network",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let text = diff("office", "browser", false).unwrap();
        assert!(
            text.contains("    office          cannot be made"),
            "{text}"
        );
    }
}
