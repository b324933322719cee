//! sheet
use crate::desktop::code;
use crate::desktop::deadline::Deadline;
use crate::desktop::failure::Failure;
use crate::desktop::keyboard::Keyboard;
use crate::desktop::target::Eyes;
use casemate_protocol::action::{Area, Outcome};
/// x
/// # Errors
/// x
pub fn set(
    _eyes: &mut Eyes,
    _k: &mut Keyboard,
    _cell: &str,
    _text: &str,
    _d: Deadline,
) -> Result<(Outcome, Option<Area>), Failure> {
    Err(Failure::new(&code::SHEET, "not yet"))
}
/// x
/// # Errors
/// x
pub fn get(
    _eyes: &mut Eyes,
    _k: &mut Keyboard,
    _cell: &str,
    _d: Deadline,
) -> Result<(Outcome, Option<Area>), Failure> {
    Err(Failure::new(&code::SHEET, "not yet"))
}
