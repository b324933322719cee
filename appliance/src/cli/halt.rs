//! `casemate halt`.

use super::args::Halt;
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, text};
use crate::api::view::{HaltRequest, HaltView};

pub(super) fn run(desk: &mut Desk<'_>, command: &Halt) -> Result<Exit, Failure> {
    let request = HaltRequest {
        halted: command.all,
    };
    let view: HaltView = desk.client.post("halting", "/v1/halt", &request)?;
    if desk.json {
        text::json(desk.out, &view)?;
    } else if view.halted {
        writeln!(
            desk.out,
            "halted; {} told to stop; `casemate halt --lift` allows jobs again",
            text::count(view.stopped, "job")
        )?;
    } else {
        writeln!(
            desk.out,
            "the halt is lifted; what was stopped stays stopped"
        )?;
    }
    Ok(Exit::Done)
}
