//! Register 5's end: the operating system took the machine over.
//!
//! `ExitBootServices` is announced before it is called and confirmed when it succeeded (PC Client
//! PFP 1.06, section 3.3.4.6). From then on the firmware measures nothing; an event after it was
//! appended by somebody else. A call that fails is repeated by the kernel and is no fault.

use super::{Measured, Violation};
use crate::eventlog::payload::Payload;
use crate::release::BootRules;

const INVOCATION: &str = "Exit Boot Services Invocation";
const SUCCESS: &str = "Exit Boot Services Returned with Success";

/// Checks the end of register 5.
pub(super) fn check(rules: BootRules, events: &[Measured<'_>]) -> Vec<Violation> {
    let says = |event: &Measured<'_>, words: &str| matches!(event.payload(), Payload::Action(text) if text.is(words));
    let mut found = Vec::new();
    let succeeded = events.iter().position(|event| says(event, SUCCESS));
    let invoked = events.iter().position(|event| says(event, INVOCATION));
    let in_order = matches!((invoked, succeeded), (Some(invoked), Some(done)) if invoked < done);
    if (rules.exit_boot_services || invoked.is_some() || succeeded.is_some()) && !in_order {
        found.push(Violation::NoExit);
    }
    let behind = succeeded.and_then(|at| events.get(at.saturating_add(1)..));
    found.extend(behind.unwrap_or_default().iter().map(|event| {
        let place = event.place();
        Violation::AfterExit { place }
    }));
    found
}
