//! What was booted: release, quote, event logs, registers, clock.

use super::Case;
use crate::appraisal;
use crate::code;
use crate::eventlog::{EventLog, LogError, ReplayedLog, has_policy_bank};
use crate::quote::{AttestationKey, VerifiedQuote};
use crate::release::Release;
use crate::verdict::{Check, Outcome};

/// The release that the evidence names, when the release key signed it.
pub(super) fn check_release(case: &Case<'_>, checks: &mut Vec<Check>) -> Option<Release> {
    const SUBJECT: &str = "release";
    let release = match Release::verify(&case.body.release, case.inputs.release_key) {
        Ok(release) => release,
        Err(error) => {
            checks.push(Check::fail(SUBJECT, error.code(), error.to_string()));
            return None;
        }
    };
    let now = case.inputs.now_ms;
    checks.push(if now > release.not_after_ms {
        let plain = "trust in this release has ended";
        let check = Check::fail(SUBJECT, &code::RELEASE_EXPIRED, plain);
        check.sides(
            format!("until {} ms", release.not_after_ms),
            format!("now {now} ms"),
        )
    } else {
        Check::pass(
            SUBJECT,
            format!("{}, signed by the release key", super::describe(&release)),
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
    const SUBJECT: &str = "quote";
    let Some(key) = key else {
        checks.push(unjudged(
            SUBJECT,
            "there is no attestation key to check it with",
        ));
        return None;
    };
    let [raw] = case.evidence.quotes() else {
        let plain = "this version asks for exactly one quote";
        let check = Check::fail(SUBJECT, &code::QUOTE_COUNT, plain);
        checks.push(check.sides("1", case.evidence.quotes().len().to_string()));
        return None;
    };
    match VerifiedQuote::check(raw, key, &case.body.qualifying()) {
        Ok(quote) => {
            let plain = "the TPM vouches for every member and for the policy's registers";
            checks.push(Check::pass(SUBJECT, plain));
            Some(quote)
        }
        Err(error) => {
            checks.push(Check::fail(SUBJECT, error.code(), error.to_string()));
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
    const SUBJECT: &str = "registers";
    let replayed = replay(case, quote, checks);
    let (Some(release), Some(quote), Some(replayed)) = (release, quote, replayed) else {
        checks.push(unjudged(
            SUBJECT,
            "release, quote or event logs do not hold",
        ));
        return;
    };
    let enrolled = case.enrolment.request();
    let deviations = appraisal::deviations(release, enrolled, quote, &replayed);
    if deviations.is_empty() {
        let count = quote.values().len();
        checks.push(Check::pass(
            SUBJECT,
            format!("all {count} are as the release has them"),
        ));
    }
    for deviation in deviations {
        let (expected, found) = deviation.sides();
        let check = Check::fail(SUBJECT, deviation.code(), deviation.to_string());
        checks.push(check.sides(expected, found));
    }
}

fn replay(
    case: &Case<'_>,
    quote: Option<&VerifiedQuote>,
    checks: &mut Vec<Check>,
) -> Option<ReplayedLog> {
    const SUBJECT: &str = "event logs";
    let before = checks.len();
    let mut read = |name: &str, bytes| match parse(bytes) {
        Ok(log) => Some(log),
        Err(error) => {
            let plain = format!("the {name} log: {error}");
            checks.push(Check::fail(SUBJECT, error.code(), plain));
            None
        }
    };
    let firmware = read("firmware", &case.body.firmware_log);
    let runtime = read("runtime", &case.body.runtime_log);
    if let Some(Some(_)) = runtime.as_ref().map(EventLog::startup_locality) {
        let plain = "the runtime log claims a startup locality";
        checks.push(Check::fail(SUBJECT, &code::LOG_LOCALITY, plain));
    }
    let (Some(firmware), Some(runtime), true) = (firmware, runtime, checks.len() == before) else {
        return None;
    };
    let Some(quote) = quote else {
        checks.push(unjudged(SUBJECT, "there is no quote to hold them against"));
        return None;
    };
    match ReplayedLog::check(&firmware, &runtime, quote) {
        Ok(replayed) => {
            let plain = format!("{} events lead to the quoted registers", replayed.len());
            checks.push(Check::pass(SUBJECT, plain));
            Some(replayed)
        }
        Err(errors) => {
            for error in errors {
                let (expected, found) = error.sides();
                let check = Check::fail(SUBJECT, error.code(), error.to_string());
                checks.push(check.sides(expected, found));
            }
            None
        }
    }
}

fn parse(bytes: &[u8]) -> Result<EventLog<'_>, LogError> {
    let log = EventLog::parse(bytes)?;
    if has_policy_bank(&log) {
        Ok(log)
    } else {
        Err(LogError::Bank)
    }
}

/// The clocks that the evidence states against the one that the TPM signed.
pub(super) fn check_clock(case: &Case<'_>, quote: Option<&VerifiedQuote>) -> Check {
    const SUBJECT: &str = "clock";
    let Some(quote) = quote else {
        return unjudged(SUBJECT, "there is no quote");
    };
    let (stated, signed) = (case.body.clock.tpm, quote.clock());
    let same_lineage = (stated.resets, stated.restarts) == (signed.resets, signed.restarts);
    if !same_lineage || stated.ms > signed.ms {
        let plain = "the TPM's clock stated is not the one that the TPM signed";
        let show = |clock: crate::leaf::TpmClock| {
            format!(
                "{} ms, {} resets, {} restarts",
                clock.ms, clock.resets, clock.restarts
            )
        };
        let check = Check::fail(SUBJECT, &code::CLOCK_OTHER, plain);
        return check.sides(show(signed), show(stated));
    }
    if !quote.clock_is_safe() {
        let plain = "the TPM was not shut down in order: its clock may have gone back a little";
        return Check::other(SUBJECT, Outcome::Note, &code::CLOCK_UNSAFE, plain);
    }
    Check::pass(SUBJECT, "the clock stated is the one that the TPM signed")
}

pub(super) fn unjudged(subject: &'static str, plain: &str) -> Check {
    Check::other(subject, Outcome::Unjudged, &code::VERDICT_UNJUDGED, plain)
}
