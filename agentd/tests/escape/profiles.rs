//! Every attempt, outside and in every profile.

use casemate_agentd::sandbox::profile::Profile;

use super::attempts::{ALL, Attempt, Denied};
use super::place::{self, Host, Probe, UID, word};

#[test]
fn every_file_is_listed_and_there_are_enough() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/escape/attempts");
    let mut files: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "mod.rs" && name != "list.rs")
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    files.sort();
    let listed: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, listed);
    assert!(listed.len() >= 80, "{}", listed.len());
}

#[test]
fn every_attempt_succeeds_outside() {
    let host = Host::new();
    let wrong: Vec<String> = ALL
        .iter()
        .filter_map(|(name, attempt)| {
            let why = place::control(&host, name, attempt).err()?;
            Some(format!("{name}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_attempt_succeeds_in_desktop() {
    none_succeeds("desktop");
}

#[test]
fn no_attempt_succeeds_in_script() {
    none_succeeds("script");
}

#[test]
fn no_attempt_succeeds_in_hands() {
    none_succeeds("hands");
}

#[test]
fn no_attempt_succeeds_in_strict() {
    none_succeeds("strict");
}

#[test]
fn no_attempt_succeeds_in_office() {
    none_succeeds("office");
}

#[test]
fn no_attempt_succeeds_in_model() {
    none_succeeds("model");
}

#[test]
fn no_attempt_succeeds_in_proxy() {
    none_succeeds("proxy");
}

/// But those that its file declares.
#[test]
fn no_attempt_succeeds_in_browser() {
    none_succeeds("browser");
}

/// A profile that comes later cannot be forgotten here.
#[test]
fn every_profile_is_attacked() {
    let source = include_str!("profiles.rs");
    for name in Profile::names() {
        let test = format!("none_succeeds(\"{name}\")");
        assert!(source.contains(&test), "nothing attacks {name}");
    }
}

fn none_succeeds(profile: &str) {
    let host = Host::new();
    let mut inside = Inside::new(&host, profile);
    let wrong: Vec<String> = ALL
        .iter()
        .filter_map(|(name, attempt)| {
            let why = inside.fails(name, attempt).err()?;
            Some(format!("{name}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A sandbox under attack; a new one when the last was ended for what it did.
pub(crate) struct Inside<'a> {
    host: &'a Host,
    profile: &'a str,
    probe: Option<Probe>,
    number: u32,
}

impl<'a> Inside<'a> {
    pub(crate) fn new(host: &'a Host, profile: &'a str) -> Self {
        Self {
            host,
            profile,
            probe: None,
            number: 0,
        }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.profile, self.number)
    }

    pub(crate) fn fails(&mut self, name: &str, attempt: &Attempt) -> Result<(), String> {
        let expected = attempt.in_profile(self.profile);
        let mut world = self.host.world(name, UID);
        (attempt.stage)(&mut world);
        place::as_inside(&mut world);
        if self.probe.is_none() {
            self.number += 1;
            self.probe = Some(self.host.inside(&self.name(), self.profile, UID));
        }
        let report = self
            .probe
            .as_ref()
            .and_then(|probe| probe.make(name, &world));
        let Some(report) = report else {
            self.probe = None;
            let how = self.host.wait(&self.name(), false).how;
            return match expected {
                Denied::Signal(signal) if how == format!("signalled {signal}") => Ok(()),
                Denied::Exit(code) if how == format!("exited {code}") => Ok(()),
                _ => Err(format!("it {how}, expected {expected:?}")),
            };
        };
        let seen = (attempt.seen)(&mut world, &report);
        if expected == Denied::Declared {
            // What it changed of itself must not judge the next.
            self.probe = None;
            self.host.wait(&self.name(), true);
            return match seen {
                true => Ok(()),
                false => Err("its file grants it, and it is not there".into()),
            };
        }
        if seen {
            return Err(format!(
                "ESCAPED: the host saw it, it said {}",
                word(&report)
            ));
        }
        match (expected, &report.answer) {
            (Denied::Errno(errno), Err(found)) if *found == errno => Ok(()),
            (Denied::Harmless, Ok(_)) => Ok(()),
            _ => Err(format!("it said {}, expected {expected:?}", word(&report))),
        }
    }
}
