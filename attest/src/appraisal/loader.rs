//! Register 4: what the firmware started, in order.
//!
//! "Calling EFI Application from Boot Option", the separator, the image. A boot option that comes
//! to nothing (an empty drive) leaves "Returning from EFI Application from Boot Option" and
//! another calling; a release says how many of those it allows. An option that loaded an image
//! and came back ran code that no release knows, and is never allowed.

use super::{Measured, Violation};
use crate::eventlog::payload::Payload;
use crate::release::BootRules;

const CALLING: &str = "Calling EFI Application from Boot Option";
const RETURNING: &str = "Returning from EFI Application from Boot Option";

/// Checks register 4 for boot options before ours.
pub(super) fn check(rules: BootRules, events: &[Measured<'_>]) -> Vec<Violation> {
    let allowed = rules.failed_attempts;
    let mut found = Vec::new();
    let (mut failed, mut loaded) = (0_u64, None);
    for event in events {
        let attempt = |what: String| Violation::Attempt {
            place: event.place(),
            what,
            allowed,
        };
        match event.payload() {
            Payload::Action(text) if text.is(CALLING) => {}
            Payload::Action(text) if text.is(RETURNING) => {
                failed = failed.saturating_add(1);
                if let Some(image) = loaded.take() {
                    found.push(attempt(format!("a boot option ran {image} and came back")));
                } else if failed > allowed {
                    found.push(attempt(format!("{failed} boot options came to nothing")));
                }
            }
            Payload::Action(text) => found.push(attempt(format!("the firmware says: {text}"))),
            Payload::Separator(_) => {}
            // Whatever it calls itself: something that is no word of the firmware was measured.
            Payload::Image(image) => {
                let named = image.path.file().map(|file| format!(" ({file})"));
                loaded = Some(format!("{}{}", event.digest, named.unwrap_or_default()));
            }
            _ => loaded = Some(event.digest.to_string()),
        }
    }
    found
}

/// The events without as many failed attempts as the rules allow: "Returning" followed by
/// "Calling", before any image. What is left is compared with the release.
pub(super) fn without_failed_attempts<'b>(
    rules: BootRules,
    events: &[Measured<'b>],
) -> Vec<Measured<'b>> {
    let says = |event: &Measured<'_>, words: &str| matches!(event.payload(), Payload::Action(text) if text.is(words));
    let mut left = rules.failed_attempts;
    let mut kept = Vec::new();
    let mut rest = events;
    let mut booting = false;
    loop {
        match rest {
            [returning, calling, behind @ ..]
                if left > 0 && !booting && says(returning, RETURNING) && says(calling, CALLING) =>
            {
                left = left.saturating_sub(1);
                rest = behind;
            }
            [event, behind @ ..] => {
                booting |= !matches!(event.payload(), Payload::Action(_) | Payload::Separator(_));
                kept.push(*event);
                rest = behind;
            }
            [] => return kept,
        }
    }
}
