//! Measures eyes and hands on the real desktop pack: start, capture, click to
//! event beside `xdotool`, reading a page.
//!
//! Needs root and the built packs. Prints one line a figure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a benchmark that fails should say where"
)]
#![allow(
    dead_code,
    reason = "the stage is shared with the tests, which use more of it"
)]

#[path = "../../tests/hands/pdf.rs"]
mod pdf;
#[path = "../../tests/hands/stage.rs"]
mod stage;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use casemate_agentd::desktop::Desk;
use casemate_agentd::desktop::pointer;
use casemate_agentd::desktop::screen::{self, Screen};
use casemate_agentd::sandbox::enclosure::Extra;
use casemate_protocol::action::{Action, Button, Outcome, Target};
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateWindowAux, EventMask, WindowClass};

/// Where the rooms have xdotool, if the host has it.
const XDOTOOL: &str = "/brought/xdotool";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("launch") => casemate_agentd::sandbox::launch::main(),
        Some("session") => casemate_agentd::desktop::session::main(),
        Some("inside") => inside(),
        _ => {
            let own = std::env::current_exe().unwrap();
            let hands = own
                .parent()
                .and_then(Path::parent)
                .unwrap()
                .join("agent-hands");
            let xdotool = Path::new("/usr/bin/xdotool");
            if !xdotool.exists() {
                return stage::enter("", &hands, Vec::new());
            }
            // Its library looks for displays in /tmp/.X11-unix and nowhere else.
            let folder = std::env::temp_dir().join(format!("bench-hands-{}", std::process::id()));
            std::fs::create_dir(&folder).unwrap();
            std::fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
            let code = stage::enter(
                "",
                &hands,
                vec![
                    Extra::read_only(xdotool.to_owned(), XDOTOOL.to_owned()),
                    Extra::writable(folder.clone(), "/tmp".to_owned()),
                ],
            );
            // The rooms' first process ends here too, where there is no such folder.
            let _gone = std::fs::remove_dir_all(&folder);
            code
        }
    }
}

fn inside() -> ExitCode {
    println!("eyes and hands, 1920x1080, all in their sandboxes");
    let mut stages: Vec<Duration> = Vec::new();
    for _ in 0..3 {
        stages.push(stage::Stage::up("start").took.0);
    }
    show("desktop ready", &mut stages);
    let mut stage = stage::Stage::up("bench");
    show("hands connected", &mut [stage.took.1]);
    let desk = stage.workspace.desk();
    let screen = Screen::open(&Desk::at(&desk)).unwrap();
    show(
        "capture",
        &mut repeat(300, || drop(screen.capture().unwrap())),
    );
    click_to_event(&screen, &desk);
    read_page(&mut stage);
    ExitCode::SUCCESS
}

/// From before the click until another client has the event.
fn click_to_event(screen: &Screen, desk: &Path) {
    let watcher = screen::connect(&Desk::at(desk)).unwrap();
    let root = screen::root(&watcher).unwrap();
    let window = watcher.generate_id().unwrap();
    let aux = CreateWindowAux::new()
        .override_redirect(1)
        .event_mask(EventMask::BUTTON_PRESS);
    watcher
        .create_window(
            0,
            window,
            root,
            0,
            0,
            500,
            500,
            0,
            WindowClass::INPUT_ONLY,
            0,
            &aux,
        )
        .unwrap();
    watcher.map_window(window).unwrap();
    watcher.get_input_focus().unwrap().reply().unwrap();
    let pressed = || while !matches!(watcher.wait_for_event().unwrap(), Event::ButtonPress(_)) {};
    show(
        "click to event, XTEST",
        &mut repeat(300, || {
            pointer::click(screen, (100, 100), Button::Left, 1).unwrap();
            pressed();
        }),
    );
    if !Path::new(XDOTOOL).exists() {
        println!("click to event, xdotool: it is not installed on this host");
        return;
    }
    std::fs::create_dir_all("/tmp/.X11-unix").unwrap();
    std::os::unix::fs::symlink(desk.join("x11/X7"), "/tmp/.X11-unix/X7").unwrap();
    show(
        "click to event, xdotool",
        &mut repeat(20, || {
            let status = Command::new(XDOTOOL)
                .args(["mousemove", "100", "100", "click", "1"])
                .env_clear()
                .env("DISPLAY", ":7")
                .env("XAUTHORITY", desk.join("xauthority"))
                .stderr(Stdio::inherit())
                .status()
                .unwrap();
            assert!(status.success(), "xdotool failed");
            pressed();
        }),
    );
    watcher.destroy_window(window).unwrap();
    watcher.flush().unwrap();
}

fn read_page(stage: &mut stage::Stage) {
    stage.put("page.pdf", &pdf::page(3).0);
    stage.open("evince", &["/workspace/in/page.pdf"]);
    stage.wait(stage::window("page.pdf"));
    stage.keys(&["F11", "f"]);
    stage.wait(Target::Text {
        text: "Invoice number".into(),
        within: None,
    });
    let mut again = Vec::new();
    for round in 0..6 {
        // Another zoom makes every line new to the reader.
        if round % 2 == 0 {
            stage.keys(&[if round % 4 == 0 { "w" } else { "f" }]);
            stage.act(Action::Screenshot {
                label: "settle".into(),
            });
        }
        let started = Instant::now();
        let Outcome::Lines(lines) = stage.act(Action::ReadScreen { within: None }).0 else {
            panic!("nothing was read")
        };
        if round % 2 == 0 {
            show(
                &format!("page read, {} lines", lines.len()),
                &mut [started.elapsed()],
            );
        } else {
            again.push(started.elapsed());
        }
    }
    show("page read again, unchanged", &mut again);
}

fn repeat(count: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let once = |_| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    (0..count).map(once).collect()
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |hundredths: usize| times[(times.len() * hundredths).div_ceil(100).saturating_sub(1)];
    println!(
        "{what}: p50 {:.2?}, p99 {:.2?}, of {}",
        at(50),
        at(99),
        times.len()
    );
}
