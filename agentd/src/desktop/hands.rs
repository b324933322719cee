//! The eyes and hands of a job: one step after another, each within its time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use atspi::State;
use casemate_protocol::action::{Action, Area, Button, Outcome, Target};
use casemate_protocol::compartment::{FromHands, ToHands};
use minicbor::bytes::ByteVec;

use crate::desktop::deadline::Deadline;
use crate::desktop::failure::Failure;
use crate::desktop::keyboard::{Chord, Keyboard};
use crate::desktop::target::{Eyes, Found, describe, middle};
use crate::desktop::{Desk, code, picture, pointer, sheet, typing};
use crate::vision::Reader;

/// Threads of the networks: as many as the development host has processors.
const THREADS: usize = 2;
/// Most chords of one step.
const CHORDS: usize = 200;
/// How long a clicked field may take to have the keyboard.
const FOCUS: Duration = Duration::from_secs(2);

/// What came of a step, and where.
type Done = (Outcome, Option<Area>);

/// The hands, connected or not yet.
#[derive(Debug)]
pub struct Hands {
    desk: Desk,
    models: PathBuf,
    connected: Option<(Eyes, Keyboard)>,
}

impl Hands {
    /// Hands for a desk, with the OCR models of a folder.
    pub fn new(desk: Desk, models: &Path) -> Self {
        Self {
            desk,
            models: models.to_owned(),
            connected: None,
        }
    }

    /// Answers one message. After `Broken` nothing more can be done.
    pub fn answer(&mut self, message: ToHands) -> FromHands {
        match message {
            ToHands::Connect => self.connect().unwrap_or_else(|e| broken(&e)),
            ToHands::Act {
                number,
                action,
                deadline_ms,
                picture,
            } => self.act(number, &action, Deadline::in_ms(deadline_ms), picture),
        }
    }

    fn connect(&mut self) -> Result<FromHands, Failure> {
        let reader = Reader::load(&self.models, THREADS)?;
        let eyes = Eyes::open(&self.desk, reader)?;
        let keyboard = Keyboard::read(eyes.screen.connection())?;
        let (width, height) = (eyes.screen.width().into(), eyes.screen.height().into());
        self.connected = Some((eyes, keyboard));
        Ok(FromHands::Ready { width, height })
    }

    fn act(&mut self, number: u64, action: &Action, deadline: Deadline, wanted: bool) -> FromHands {
        let Some((eyes, keyboard)) = &mut self.connected else {
            return broken(&Failure::new(
                &code::LOST,
                "there is no connection to a display yet",
            ));
        };
        let (outcome, area) = match perform(eyes, keyboard, action, deadline) {
            Ok(done) => done,
            Err(failure) if failure.is_loss() => return broken(&failure),
            Err(failure) => (failure.outcome(), None),
        };
        let wanted = wanted || matches!(action, Action::Screenshot { .. });
        let picture = match wanted.then(|| eyes.screen.capture().and_then(|f| picture::png(&f))) {
            None => None,
            Some(Ok(bytes)) => Some(ByteVec::from(bytes)),
            Some(Err(failure)) => return broken(&failure),
        };
        FromHands::Done {
            number,
            outcome,
            area,
            picture,
        }
    }
}

fn broken(failure: &Failure) -> FromHands {
    match failure.outcome() {
        Outcome::Failed { code, message } => FromHands::Broken { code, message },
        // A failure is always `Failed`.
        other => FromHands::Broken {
            code: code::LOST.id.to_owned(),
            message: format!("{other:?}"),
        },
    }
}

fn perform(
    eyes: &mut Eyes,
    keyboard: &mut Keyboard,
    action: &Action,
    deadline: Deadline,
) -> Result<Done, Failure> {
    match action {
        Action::Wait {
            target,
            timeout_ms,
            gone,
        } => {
            let deadline = deadline.or_in(Duration::from_millis((*timeout_ms).into()));
            let found = eyes.wait(target, *gone, deadline)?;
            Ok((Outcome::Done, found.map(|f| f.area)))
        }
        Action::Click {
            target,
            button,
            count,
        } => click(eyes, target, *button, *count, deadline),
        Action::Type { text, into } => {
            let area = match into {
                Some(target) => Some(focus(eyes, target, deadline)?),
                None => None,
            };
            typing::type_text(eyes, keyboard, text, deadline)?;
            Ok((Outcome::Done, area))
        }
        Action::Keys { chords } => press(eyes, keyboard, chords),
        Action::Read { target } => read(eyes, target, deadline),
        Action::ReadScreen { within } => {
            eyes.settle()?;
            Ok((Outcome::Lines(eyes.read(*within)?), *within))
        }
        Action::SetCell { cell, text } => sheet::set(eyes, keyboard, cell, text, deadline),
        Action::GetCell { cell } => sheet::get(eyes, keyboard, cell, deadline),
        Action::Screenshot { .. } => Ok((Outcome::Done, None)),
        other => {
            let kind = other.verb().map_or("this", |verb| verb.word());
            Err(Failure::new(
                &code::INVALID,
                format!("{kind} is not done by eyes and hands"),
            ))
        }
    }
}

fn click(
    eyes: &mut Eyes,
    target: &Target,
    button: Button,
    count: u8,
    deadline: Deadline,
) -> Result<Done, Failure> {
    if !(1..=3).contains(&count) {
        return Err(Failure::new(
            &code::INVALID,
            "a button is pressed 1 to 3 times",
        ));
    }
    let found = eyes.aim(target, deadline)?;
    pointer::click(&eyes.screen, middle(found.area), button, count)?;
    Ok((Outcome::Done, Some(found.area)))
}

/// Clicks a field and waits until it has the keyboard, if it can have it.
fn focus(eyes: &mut Eyes, target: &Target, deadline: Deadline) -> Result<Area, Failure> {
    let found = eyes.aim(target, deadline)?;
    pointer::click(&eyes.screen, middle(found.area), Button::Left, 1)?;
    let Some(element) = found.element.filter(|e| e.is(State::Focusable)) else {
        return Ok(found.area);
    };
    let deadline = deadline.or_in(FOCUS);
    loop {
        let snapshot = eyes.accessibility.snapshot()?;
        if snapshot
            .focused()
            .is_some_and(|e| e.address == element.address)
        {
            return Ok(found.area);
        }
        if deadline.is_over() {
            let message = format!("{} did not take the keyboard", describe(target));
            return Err(Failure::new(&code::UNSTABLE, message));
        }
        eyes.screen
            .wait_for_change(deadline.left().min(Duration::from_millis(20)))?;
    }
}

fn press(eyes: &Eyes, keyboard: &mut Keyboard, chords: &[String]) -> Result<Done, Failure> {
    if chords.len() > CHORDS {
        return Err(Failure::new(
            &code::INVALID,
            format!("over {CHORDS} keys in one step"),
        ));
    }
    // All are read before any is pressed.
    let chords: Vec<Chord> = chords
        .iter()
        .map(|c| Chord::parse(c))
        .collect::<Result<_, _>>()?;
    for chord in &chords {
        keyboard.press(eyes.screen.connection(), chord)?;
    }
    Ok((Outcome::Done, None))
}

/// The text, else the value, else the name of the one thing that matches.
fn read(eyes: &mut Eyes, target: &Target, deadline: Deadline) -> Result<Done, Failure> {
    let Found {
        area,
        text,
        element,
    } = eyes.aim_to_read(target, deadline)?;
    let said = element.and_then(|e| {
        let text = if e.has_text {
            eyes.accessibility.text(&e.address)
        } else {
            None
        };
        let value = || {
            eyes.accessibility
                .value(&e.address)
                .map(|value| value.to_string())
        };
        text.filter(|text| !text.is_empty())
            .or_else(|| if e.has_value { value() } else { None })
    });
    Ok((Outcome::Text(said.unwrap_or(text)), Some(area)))
}
