//! What must come of each attempt inside, and which layer it speaks of.

use super::{Finding, SUPERVISOR, SelfTestError};

const CALLS: &str = "the list of system calls";

/// How the kernel ends who calls by another architecture's table: SIGSYS.
const KILLED: &str = "signal 31";

/// Profiles (`*` for all others), or `outside`, and the answer. An answer that is not
/// given for outside must be another one there.
type Answers = &'static [(&'static str, &'static str)];

/// Attempt, layer, and what must come of it.
type Row = (&'static str, &'static str, Answers);

/// Where attempts are made, besides outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a sandbox.
    Sandbox,
    /// In agentd's own supervisor, once it is confined.
    Supervisor,
}

impl Place {
    fn of(profile: &str) -> Self {
        if profile == SUPERVISOR {
            Self::Supervisor
        } else {
            Self::Sandbox
        }
    }

    fn table(self) -> &'static [Row] {
        match self {
            Self::Sandbox => &SANDBOX,
            Self::Supervisor => &SUPERVISED,
        }
    }

    /// Whether this attempt is made there.
    pub(super) fn asks(self, attempt: &str) -> bool {
        self.table().iter().any(|(name, _, _)| *name == attempt)
    }
}

/// agentd's supervisor, in agentd's rooms: it is no sandbox, and what it must not do
/// is less.
const SUPERVISED: [Row; 17] = [
    ("agentd-itself", FILES, &[("*", "errno 13")]),
    ("control-groups", FILES, &[("*", "errno 13")]),
    ("execute", CALLS, &[("*", "errno 1")]),
    ("new-process", CALLS, &[("*", "errno 1")]),
    ("internet-socket", CALLS, &[("*", "errno 1")]),
    ("hypervisor-socket", CALLS, &[("*", "errno 1")]),
    ("netlink-socket", CALLS, &[("*", "errno 1")]),
    ("ring", CALLS, &[("*", "errno 1")]),
    ("clone3", GATE, &[("*", "errno 38")]),
    ("key", CALLS, &[("*", "errno 1")]),
    ("mount", CALLS, &[("*", "errno 1")]),
    ("list-root", FILES, &[("*", "errno 13")]),
    ("first-process", FILES, &[("*", "errno 13")]),
    ("kernel-settings", FILES, &[("*", "errno 13")]),
    ("signal-first", CALLS, &[("*", "errno 1")]),
    ("another-identity", CALLS, &[("*", "errno 1")]),
    ("user-namespace", CALLS, &[("*", "errno 1")]),
];

const FILES: &str = "Landlock";
const GATE: &str = "the gate before the system calls";

/// Every sandbox. The last two are what agentd sees of it from outside.
const SANDBOX: [Row; 22] = [
    ("internet-socket", CALLS, &[("*", "errno 1")]),
    ("hypervisor-socket", CALLS, &[("*", "errno 1")]),
    ("netlink-socket", CALLS, &[("*", "errno 1")]),
    ("ring", CALLS, &[("*", "errno 1")]),
    ("clone3", GATE, &[("*", "errno 38")]),
    ("key", CALLS, &[("*", "errno 1")]),
    // The rooms have this layer as well: without it the answer is errno 8.
    (
        "memory-file",
        "the ban on executing memory files",
        &[
            ("outside", "errno 13"),
            ("desktop hands office browser model", "errno 13"),
            ("*", "errno 1"),
        ],
    ),
    ("mount", CALLS, &[("*", "errno 1")]),
    ("list-root", FILES, &[("*", "errno 13")]),
    ("first-process", "the private /proc", &[("*", "errno 2")]),
    ("kernel-settings", "the private /proc", &[("*", "errno 2")]),
    (
        "signal-first",
        "Landlock's scope of signals",
        &[("*", "errno 1")],
    ),
    ("identity", "the identity of its own", &[("*", "1000 1000")]),
    (
        "capabilities",
        "the giving up of capabilities",
        &[(
            "*",
            "0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000",
        )],
    ),
    ("confined", "the filter of system calls", &[("*", "1 2")]),
    (
        "descriptors",
        "the closing of descriptors",
        &[("*", "[0, 1, 2, 3]")],
    ),
    ("core-limit", "the limits of a process", &[("*", "Some(0)")]),
    (
        "written-files",
        "the flags of mounts",
        &[("*", "noexec nosuid nodev")],
    ),
    (
        "another-identity",
        "the map of one identity",
        &[("desktop browser", "errno 22"), ("*", "errno 1")],
    ),
    (
        "user-namespace",
        "the ban on namespaces",
        &[("browser", "ok"), ("*", "errno 1")],
    ),
    (super::FOREIGN, GATE, &[("*", KILLED)]),
    (
        super::LIMITS,
        "the limits of the control group",
        &[("*", "in force")],
    ),
];

/// Holds what was found in `profile` against what must be, and against the control:
/// an answer that is the same outside shows nothing.
pub(super) fn check(
    profile: &str,
    findings: &[Finding],
    control: &[Finding],
) -> Result<(), SelfTestError> {
    let table = Place::of(profile).table();
    if findings.len() != table.len() {
        return Err(super::unanswered(profile, &"not all were answered"));
    }
    for ((attempt, layer, answers), found) in table.iter().zip(findings) {
        let outside = control.iter().find(|outside| outside.attempt == *attempt);
        let (true, Some(outside)) = (found.attempt == *attempt, outside) else {
            return Err(super::unanswered(profile, &"not all were answered"));
        };
        let expected = answer(answers, profile).unwrap_or_default();
        if found.answer != expected {
            return Err(SelfTestError::Missing {
                profile: profile.to_owned(),
                layer,
                attempt: found.attempt.clone(),
                found: found.answer.clone(),
                expected,
            });
        }
        // What a profile's file grants, such as the browser's namespaces, is no
        // denial that needs a control.
        let there = answers.iter().find(|(names, _)| *names == "outside");
        let shows_nothing = match there {
            Some((_, there)) => outside.answer != *there,
            None => outside.answer == expected && expected != "ok",
        };
        if shows_nothing {
            return Err(SelfTestError::Control {
                attempt: outside.attempt.clone(),
                found: outside.answer.clone(),
            });
        }
    }
    Ok(())
}

/// What must come of it in a place.
fn answer(answers: Answers, place: &str) -> Option<&'static str> {
    answers
        .iter()
        .find(|(names, _)| names.split(' ').any(|name| name == place || name == "*"))
        .map(|(_, answer)| *answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(profile: &str) -> Vec<Finding> {
        Place::of(profile)
            .table()
            .iter()
            .map(|(attempt, _, answers)| Finding {
                attempt: (*attempt).to_owned(),
                answer: answer(answers, profile).unwrap().to_owned(),
            })
            .collect()
    }

    fn control() -> Vec<Finding> {
        let mut all = findings("script");
        all.extend(findings(SUPERVISOR));
        for found in &mut all {
            found.answer = match found.attempt.as_str() {
                "memory-file" => "errno 13",
                _ => "fine",
            }
            .to_owned();
        }
        all
    }

    #[test]
    fn each_answer_counts_inside_and_outside() {
        for profile in [
            "desktop", "hands", "script", "strict", "browser", SUPERVISOR,
        ] {
            let good = findings(profile);
            check(profile, &good, &control()).unwrap();
            for place in 0..good.len() {
                let mut bad = good.clone();
                bad[place].answer = "something else".to_owned();
                let error = check(profile, &bad, &control()).unwrap_err();
                assert_eq!(error.code().id, "selftest.layer");
                let name = &good[place].attempt;
                if good[place].answer == "ok" {
                    continue;
                }
                let mut blind = control();
                for outside in blind.iter_mut().filter(|outside| outside.attempt == *name) {
                    outside.answer = match name.as_str() {
                        // Here it is the layer itself that is seen outside.
                        "memory-file" => "errno 8".to_owned(),
                        _ => good[place].answer.clone(),
                    };
                }
                let error = check(profile, &good, &blind).unwrap_err();
                assert_eq!(error.code().id, "selftest.control");
            }
        }
    }

    #[test]
    fn an_answer_that_is_missing_is_not_a_pass() {
        for profile in ["script", SUPERVISOR] {
            let good = findings(profile);
            let (all, name) = (control(), &good[0].attempt);
            let without = all.iter().filter(|found| found.attempt != *name).cloned();
            let blind: Vec<Finding> = without.collect();
            for (inside, outside) in [(&good[1..], &all[..]), (&good[..], &blind[..])] {
                let error = check(profile, inside, outside).unwrap_err();
                assert_eq!(error.code().id, "selftest.unanswered");
            }
            let mut twice = good.clone();
            twice[1] = good[0].clone();
            assert!(check(profile, &twice, &all).is_err());
            assert!(check(profile, &[], &[]).is_err());
        }
    }
}
