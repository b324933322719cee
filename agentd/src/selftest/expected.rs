//! What must come of each attempt inside, and which layer it speaks of.

use super::probe::ATTEMPTS;
use super::{Finding, SelfTestError};

const CALLS: &str = "the list of system calls";

/// Profiles (`*` for all others) and the answer.
type Answers = &'static [(&'static str, &'static str)];

/// Attempt, layer, and what must come of it.
const TABLE: [(&str, &str, Answers); 19] = [
    ("internet-socket", CALLS, &[("*", "errno 1")]),
    ("hypervisor-socket", CALLS, &[("*", "errno 1")]),
    ("netlink-socket", CALLS, &[("*", "errno 1")]),
    ("ring", CALLS, &[("*", "errno 1")]),
    (
        "clone3",
        "the gate before the system calls",
        &[("*", "errno 38")],
    ),
    ("key", CALLS, &[("*", "errno 1")]),
    ("mount", CALLS, &[("*", "errno 1")]),
    ("list-root", "Landlock", &[("*", "errno 13")]),
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
];

/// Holds what was found in `profile` against what must be, and against the control:
/// an answer that is the same outside shows nothing.
pub(super) fn check(
    profile: &str,
    findings: &[Finding],
    control: &[Finding],
) -> Result<(), SelfTestError> {
    let names = ATTEMPTS.iter().map(|(name, _)| *name);
    if !names
        .clone()
        .eq(findings.iter().map(|found| found.attempt.as_str()))
        || !names.eq(control.iter().map(|found| found.attempt.as_str()))
    {
        return Err(super::unanswered(profile, &"not all were answered"));
    }
    for ((attempt, layer, by_profile), (found, outside)) in
        TABLE.iter().zip(findings.iter().zip(control))
    {
        let expected = by_profile
            .iter()
            .find(|(names, _)| names.split(' ').any(|name| name == profile || name == "*"))
            .map_or("", |(_, answer)| *answer);
        if found.attempt != *attempt || found.answer != expected {
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
        if outside.answer == expected && expected != "ok" {
            return Err(SelfTestError::Control {
                attempt: outside.attempt.clone(),
                found: outside.answer.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(profile: &str) -> Vec<Finding> {
        TABLE
            .iter()
            .map(|(attempt, _, answers)| Finding {
                attempt: (*attempt).to_owned(),
                answer: answers
                    .iter()
                    .find(|(names, _)| names.split(' ').any(|n| n == profile || n == "*"))
                    .unwrap()
                    .1
                    .to_owned(),
            })
            .collect()
    }

    fn control() -> Vec<Finding> {
        findings("script")
            .into_iter()
            .map(|found| Finding {
                answer: "ok".to_owned(),
                ..found
            })
            .collect()
    }

    #[test]
    fn each_answer_counts_inside_and_outside() {
        for profile in ["desktop", "hands", "script", "strict", "browser"] {
            let good = findings(profile);
            check(profile, &good, &control()).unwrap();
            for place in 0..good.len() {
                let mut bad = good.clone();
                bad[place].answer = "something else".to_owned();
                let error = check(profile, &bad, &control()).unwrap_err();
                assert_eq!(error.code().id, "selftest.layer");
                if good[place].answer != "ok" {
                    let mut blind = control();
                    blind[place].answer = good[place].answer.clone();
                    let error = check(profile, &good, &blind).unwrap_err();
                    assert_eq!(error.code().id, "selftest.control");
                }
            }
        }
    }

    #[test]
    fn an_answer_that_is_missing_is_not_a_pass() {
        let good = findings("script");
        for (inside, outside) in [(&good[1..], &control()[..]), (&good[..], &control()[1..])] {
            let error = check("script", inside, outside).unwrap_err();
            assert_eq!(error.code().id, "selftest.unanswered");
        }
        assert!(check("script", &[], &[]).is_err());
    }
}
