//! Eyes and hands on the real desktop pack, each in its real sandbox.
//!
//! Needs root and the built packs (`make packs`). The test program runs itself
//! inside agentd's rooms, as agentd does: `launch` and `session` are agentd's own
//! commands, `inside` drives the cases. It has no harness because of that, but
//! ends with the same line as one; a name as argument selects a case.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test fails by panicking, also in what its functions call, and prints its cases"
)]

mod cases;
mod pdf;
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("launch") => casemate_agentd::sandbox::launch::main(),
        Some("session") => casemate_agentd::desktop::session::main(),
        Some("inside") => inside(arguments.get(1).map_or("", String::as_str)),
        // What a test runner asks first; it then runs each case by its name.
        Some("--list") => {
            let wanted = !arguments.iter().any(|argument| argument == "--ignored");
            for (name, _) in cases::ALL.iter().filter(|_| wanted) {
                println!("{name}: test");
            }
            ExitCode::SUCCESS
        }
        _ => {
            // Runners put their options before or after the case's name.
            let name = arguments.iter().find(|argument| !argument.starts_with('-'));
            stage::enter(
                name.map_or("", String::as_str),
                Path::new(env!("CARGO_BIN_EXE_agent-hands")),
                Vec::new(),
            )
        }
    }
}

fn inside(selected: &str) -> ExitCode {
    let cases: Vec<_> = cases::ALL
        .iter()
        .filter(|(name, _)| selected.is_empty() || *name == selected)
        .collect();
    println!("\nrunning {} tests", cases.len());
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases {
        let started = Instant::now();
        // Each case has a desktop of its own, so none can spoil another's.
        let result = catch_unwind(AssertUnwindSafe(|| case(&mut stage::Stage::up(name))));
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!(
            "test {name} ... {word} ({:.1} s)",
            started.elapsed().as_secs_f64()
        );
        *(if result.is_ok() {
            &mut passed
        } else {
            &mut failed
        }) += 1;
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101)
    }
}
