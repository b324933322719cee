//! `agentd`: the agent runtime's outer and inner program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("launch") => casemate_agentd::sandbox::launch::main(),
        _ => ExitCode::from(2),
    }
}
