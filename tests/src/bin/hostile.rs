//! A hostile program in the place of `agent-script` or `agent-hands`.
//!
//! Put into a folder under one of those names it is started by agentd as that
//! compartment. As the interpreter it asks for everything a job was not granted,
//! and for things no job can be granted; what came back goes into the job's log.
//! As the eyes and hands it answers with what it was not asked.
#![forbid(unsafe_code)]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use casemate_protocol::action::{Action, Outcome, Target};
use casemate_protocol::compartment::{FromHands, FromScript, ScriptSetup, ToHands, ToScript};
use casemate_protocol::frame;

fn main() -> ExitCode {
    let Ok(descriptor) = casemate_agentd::sandbox::sys::adopt(3) else {
        return ExitCode::from(2);
    };
    let mut channel = UnixStream::from(descriptor);
    let name = std::env::args().next().unwrap_or_default();
    let result = match name.ends_with("agent-hands") {
        true => hands(&mut channel),
        false => script(&mut channel),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Everything that the job of the test has no grant for, with a name each.
fn attempts() -> Vec<(&'static str, Action)> {
    let own = |text: &str| text.to_owned();
    let write = |path: &str| Action::WriteFile {
        path: own(path),
        text: own("x"),
    };
    let read = |path: &str| Action::ReadFile { path: own(path) };
    let button = Target::Element {
        name: own("OK"),
        role: None,
        window: None,
    };
    vec![
        (
            "open",
            Action::Open {
                app: own("gnumeric"),
                files: vec![],
            },
        ),
        (
            "open-shell",
            Action::Open {
                app: own("/bin/sh"),
                files: vec![],
            },
        ),
        (
            "open-outside",
            Action::Open {
                app: own("mousepad"),
                files: vec![own("../../etc/passwd")],
            },
        ),
        (
            "keys",
            Action::Keys {
                chords: vec![own("alt+F4")],
            },
        ),
        (
            "click",
            Action::Click {
                target: button,
                button: casemate_protocol::action::Button::Left,
                count: 1,
            },
        ),
        ("write-other", write("out/other.txt")),
        ("write-input", write("in/a.txt")),
        ("write-above", write("out/../in/a.txt")),
        ("read-above", read("../desk/x")),
        ("read-absolute", read("/etc/passwd")),
        (
            "template-above",
            Action::Template {
                name: own("../../../etc/passwd"),
                path: own("out/granted.txt"),
            },
        ),
    ]
}

fn script(channel: &mut UnixStream) -> Result<()> {
    let setup: ScriptSetup = frame::read(channel, frame::TO_COMPARTMENT)?;
    let ScriptSetup::Run { parameters, .. } = setup else {
        // Asked to check: claim that everything is fine.
        frame::write(channel, &FromScript::Checked { diagnoses: vec![] })?;
        return Ok(());
    };
    let attack = parameters
        .iter()
        .find(|(name, _)| name == "attack")
        .map(|(_, value)| value.as_str());
    match attack {
        Some("garbage") => channel.write_all(&[0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff])?,
        Some("huge") => channel.write_all(&[0xff; 4])?,
        Some("renumber") => {
            let action = Action::Log {
                text: "out of turn".to_owned(),
            };
            frame::write(channel, &FromScript::Act { number: 7, action })?;
        }
        Some("silent") => {
            std::thread::park();
        }
        _ => return ask_for_everything(channel),
    }
    // Whatever comes back, stay until we are ended.
    let _answer: Result<ToScript> = frame::read(channel, frame::TO_COMPARTMENT).map_err(Into::into);
    Ok(())
}

fn ask_for_everything(channel: &mut UnixStream) -> Result<()> {
    let mut number = 0u64;
    let mut ask = |action: Action| -> Result<Outcome> {
        number += 1;
        frame::write(channel, &FromScript::Act { number, action })?;
        let answer: ToScript = frame::read(channel, frame::TO_COMPARTMENT)?;
        Ok(answer.outcome)
    };
    for (name, action) in attempts() {
        let what = match ask(action)? {
            Outcome::Failed { code, .. } => code,
            _ => "PERFORMED".to_owned(),
        };
        ask(Action::Log {
            text: format!("attempt {name}: {what}"),
        })?;
    }
    // The control: what is granted works, so the refusals above mean something.
    let granted = Action::WriteFile {
        path: "out/granted.txt".to_owned(),
        text: "control".to_owned(),
    };
    let what = match ask(granted)? {
        Outcome::Done => "performed",
        _ => "REFUSED",
    };
    ask(Action::Log {
        text: format!("control: {what}"),
    })?;
    frame::write(channel, &FromScript::Finished)?;
    Ok(())
}

fn hands(channel: &mut UnixStream) -> Result<()> {
    loop {
        match frame::read(channel, frame::TO_COMPARTMENT)? {
            ToHands::Connect => {
                frame::write(
                    channel,
                    &FromHands::Ready {
                        width: 1920,
                        height: 1080,
                    },
                )?;
            }
            ToHands::Act { number, .. } => {
                // Not an answer but a demand: an action of its own, as a script would send it.
                let action = Action::Open {
                    app: "gnumeric".to_owned(),
                    files: vec![],
                };
                frame::write(channel, &FromScript::Act { number, action })?;
            }
        }
    }
}
