//! What was booted: release, quote, event logs, registers, clock.

use std::sync::Arc;

use super::Case;
use crate::appraisal::{Measured, Standard, appraise};
use crate::code;
use crate::eventlog::{EventLog, Log, LogError, ReplayedLog, has_policy_bank};
use crate::messages::phrases;
use crate::quote::{AttestationKey, VerifiedQuote};
use crate::release::Release;
use crate::verdict::{Check, Subject};

/// The release that the evidence names, when the release key signed it.
pub(super) fn check_release(case: &Case<'_>, checks: &mut Vec<Check>) -> Option<Arc<Release>> {
    const SUBJECT: Subject = Subject::Release;
    let release = case
        .memo
        .release(&case.body.release, case.inputs.release_key);
    let release = match release {
        Ok(release) => release,
        Err(error) => {
            checks.push(Check::fail(SUBJECT, error.code()).detail(error));
            return None;
        }
    };
    let (now, until) = (case.inputs.now_ms, release.not_after_ms);
    checks.push(if now > until {
        let check = Check::fail(SUBJECT, &code::RELEASE_EXPIRED);
        check.sides(format!("until {until} ms"), format!("now {now} ms"))
    } else {
        let (product, version) = (&release.product, &release.version);
        Check::pass(
            SUBJECT,
            phrases::release_holds(product, version, release.number),
        )
    });
    Some(release)
}

/// The quote: exactly one, by the enrolled key, over this evidence.
pub(super) fn check_quote(
    case: &Case<'_>,
    key: Option<&AttestationKey>,
    checks: &mut Vec<Check>,
) -> Option<VerifiedQuote> {
    const SUBJECT: Subject = Subject::Quote;
    let Some(key) = key else {
        checks.push(Check::unjudged(SUBJECT, phrases::unjudged_no_key()));
        return None;
    };
    let [raw] = case.evidence.quotes() else {
        let check = Check::fail(SUBJECT, &code::QUOTE_COUNT);
        checks.push(check.sides(1, case.evidence.quotes().len()));
        return None;
    };
    match VerifiedQuote::check(raw, key, &case.body.qualifying()) {
        Ok(quote) => {
            checks.push(Check::pass(SUBJECT, phrases::quote_holds()));
            Some(quote)
        }
        Err(error) => {
            checks.push(Check::fail(SUBJECT, error.code()).detail(error));
            None
        }
    }
}

/// The logs against the quote, and the registers against release and enrolment.
pub(super) fn check_logs(
    case: &Case<'_>,
    release: Option<&Release>,
    quote: Option<&VerifiedQuote>,
    checks: &mut Vec<Check>,
) {
    const SUBJECT: Subject = Subject::Registers;
    let replayed = replay(case, quote, checks);
    let (Some(release), Some(quote), Some(replayed)) = (release, quote, replayed) else {
        for subject in [Subject::SecureBoot, SUBJECT] {
            checks.push(Check::unjudged(subject, phrases::unjudged_measured()));
        }
        return;
    };
    let baseline = case.kept.baseline(case);
    let standard = Standard {
        release,
        enrolled: case.enrolment.request(),
        baseline: baseline.as_ref(),
        shipped: &case.kept.shipped,
    };
    let appraisal = appraise(&standard, quote, &Measured::all(&replayed));
    if let Some(enforced) = &appraisal.secure_boot {
        let held = phrases::secure_boot_holds(&enforced.to_string());
        checks.push(Check::pass(Subject::SecureBoot, held));
    }
    if appraisal.findings.is_empty() {
        let count = quote.values().len();
        checks.push(Check::pass(SUBJECT, phrases::registers_hold(count)));
    }
    for finding in appraisal.findings {
        let subject = finding.subject;
        let check = Check::fail(subject, finding.code).detail(finding.detail);
        checks.push(check.sides(finding.expected, finding.found));
    }
}

fn replay<'b>(
    case: &'b Case<'_>,
    quote: Option<&VerifiedQuote>,
    checks: &mut Vec<Check>,
) -> Option<ReplayedLog<'b>> {
    const SUBJECT: Subject = Subject::EventLogs;
    let before = checks.len();
    let mut refused = |name: &str, error: &LogError| {
        let check = Check::fail(SUBJECT, error.code());
        checks.push(check.detail(format!("the {name} log: {error}")));
    };
    let firmware = firmware_log(&case.body.firmware_log);
    let firmware = firmware
        .inspect_err(|error| refused("firmware", error))
        .ok();
    let runtime = runtime_log(&case.body.runtime_log);
    let runtime = runtime.inspect_err(|error| refused("runtime", error)).ok();
    if let Some(Some(_)) = runtime.as_ref().map(Log::startup_locality) {
        let check = Check::fail(SUBJECT, &code::LOG_LOCALITY);
        checks.push(check.detail("the runtime log claims one"));
    }
    let (Some(firmware), Some(runtime), true) = (firmware, runtime, checks.len() == before) else {
        return None;
    };
    let Some(quote) = quote else {
        checks.push(Check::unjudged(SUBJECT, phrases::unjudged_no_quote()));
        return None;
    };
    match ReplayedLog::check(&firmware, &runtime, quote) {
        Ok(replayed) => {
            checks.push(Check::pass(SUBJECT, phrases::logs_lead(replayed.len())));
            Some(replayed)
        }
        Err(errors) => {
            for error in errors {
                let (expected, found) = error.sides();
                let check = Check::fail(SUBJECT, error.code()).detail(&error);
                checks.push(check.sides(expected, found));
            }
            None
        }
    }
}

fn firmware_log(bytes: &[u8]) -> Result<EventLog<'_>, LogError> {
    let log = EventLog::parse(bytes)?;
    if has_policy_bank(log.banks()) {
        Ok(log)
    } else {
        Err(LogError::Bank)
    }
}

/// A log of systemd, or on a development stand one of the TCG's form.
fn runtime_log(bytes: &[u8]) -> Result<Log<'_>, LogError> {
    let log = Log::parse(bytes)?;
    if has_policy_bank(log.banks()) {
        Ok(log)
    } else {
        Err(LogError::Bank)
    }
}

/// The clocks that the evidence states against the one that the TPM signed.
pub(super) fn check_clock(case: &Case<'_>, quote: Option<&VerifiedQuote>) -> Check {
    const SUBJECT: Subject = Subject::Clock;
    let Some(quote) = quote else {
        return Check::unjudged(SUBJECT, phrases::unjudged_no_quote());
    };
    let (stated, signed) = (case.body.clock.tpm, quote.clock());
    let same_lineage = (stated.resets, stated.restarts) == (signed.resets, signed.restarts);
    if !same_lineage || stated.ms > signed.ms {
        let show = |clock: crate::leaf::TpmClock| {
            format!(
                "{} ms, {} resets, {} restarts",
                clock.ms, clock.resets, clock.restarts
            )
        };
        let check = Check::fail(SUBJECT, &code::CLOCK_OTHER);
        return check.sides(show(signed), show(stated));
    }
    if !quote.clock_is_safe() {
        return Check::note(SUBJECT, &code::CLOCK_UNSAFE);
    }
    Check::pass(SUBJECT, phrases::clock_holds())
}
