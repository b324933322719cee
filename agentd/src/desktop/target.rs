//! From what a step refers to, to one place on the screen.
//!
//! Something is used only if exactly one thing matches, it stands still for two
//! pictures, says that it is ready, is not covered by another application's
//! window, and is found again at the same place right before.

use std::time::{Duration, Instant};

use atspi::State;
use casemate_protocol::action::{Area, Line, Target};

use crate::desktop::accessible::Accessibility;
use crate::desktop::deadline::Deadline;
use crate::desktop::element::{Element, Snapshot};
use crate::desktop::failure::{Failure, quoted};
use crate::desktop::screen::Screen;
use crate::desktop::window::Windows;
use crate::desktop::{Desk, code};
use crate::vision::{Frame, Reader, Region};

/// Longest time that a step waits for its target to appear and be ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time between two looks.
const LOOK: Duration = Duration::from_millis(60);
/// Time that two pictures lie apart, in which the target must not change.
const STILL: Duration = Duration::from_millis(20);
/// How long nothing may be drawn before the screen is read. A caret blinks
/// more slowly.
const REST: Duration = Duration::from_millis(250);
/// Longest time to wait for that.
const RESTLESS: Duration = Duration::from_secs(3);

/// Something on the screen that matches a target.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it is, inside the screen.
    pub area: Area,
    /// What it says: name, text or title.
    pub text: String,
    /// The element, if it is one.
    pub element: Option<Element>,
}

/// Everything that a step can look at.
#[derive(Debug)]
pub struct Eyes {
    /// The display.
    pub screen: Screen,
    /// Its windows.
    pub windows: Windows,
    /// The accessibility bus.
    pub accessibility: Accessibility,
    /// The reader of pixels.
    pub reader: Reader,
    /// A frame whose memory is free for the next.
    spare: Option<Frame>,
}

impl Eyes {
    /// Connects to display and bus.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn open(desk: &Desk, reader: Reader) -> Result<Self, Failure> {
        let screen = Screen::open(desk)?;
        let windows = Windows::learn(&screen)?;
        Ok(Self {
            windows,
            screen,
            accessibility: Accessibility::connect(desk)?,
            reader,
            spare: None,
        })
    }

    /// Everything that matches now.
    ///
    /// # Errors
    /// `desktop.invalid` for an area off the screen, `desktop.lost`, `vision.*`.
    pub fn find(&mut self, target: &Target) -> Result<Vec<Found>, Failure> {
        match target {
            Target::Element { name, role, window } => {
                let snapshot = self.accessibility.snapshot()?;
                Ok(self.elements(&snapshot, name, role.as_deref(), window.as_deref()))
            }
            Target::Text { text, within } => {
                let lines = self.read(*within)?;
                Ok(matching(&lines, text))
            }
            Target::Window { title } => Ok(self
                .windows
                .list(&self.screen)?
                .into_iter()
                .filter(|window| window.title.contains(title.as_str()))
                .filter_map(|window| {
                    let area = self.clip(window.area)?.area();
                    Some(Found {
                        area,
                        text: window.title,
                        element: None,
                    })
                })
                .collect()),
        }
    }

    fn elements(
        &self,
        snapshot: &Snapshot,
        name: &str,
        role: Option<&str>,
        window: Option<&str>,
    ) -> Vec<Found> {
        snapshot
            .elements()
            .iter()
            .filter(|e| e.name == name && e.is_shown() && role.is_none_or(|role| e.is_role(role)))
            .filter(|e| {
                window.is_none_or(|title| {
                    snapshot
                        .window_of(e)
                        .is_some_and(|w| w.name.contains(title))
                })
            })
            .filter_map(|e| {
                let area = self.clip(self.accessibility.area(&e.address)?)?.area();
                Some(Found {
                    area,
                    text: e.name.clone(),
                    element: Some(e.clone()),
                })
            })
            .collect()
    }

    /// Waits until nothing was drawn for a moment, so that a page that was just
    /// turned is read and not the one before; a screen that never rests is read
    /// as it is.
    ///
    /// # Errors
    /// `desktop.lost`.
    pub fn settle(&self) -> Result<(), Failure> {
        let end = Instant::now() + RESTLESS;
        while self.screen.wait_for_change(REST)? && Instant::now() < end {}
        Ok(())
    }

    /// Lines of text of a part of the screen, or of all of it.
    ///
    /// # Errors
    /// `desktop.invalid`, `desktop.lost`, `vision.*`.
    pub fn read(&mut self, within: Option<Area>) -> Result<Vec<Line>, Failure> {
        let frame = self.screen.capture_over(self.spare.take())?;
        let region = match within {
            None => frame.whole(),
            Some(area) => self.clip(area).ok_or_else(|| {
                Failure::new(
                    &code::INVALID,
                    format!("{} is not on the screen", place(area)),
                )
            })?,
        };
        let lines = self.reader.read(&frame, region)?;
        self.spare = Some(frame);
        Ok(lines)
    }

    /// The part of an area that is on the screen.
    pub fn clip(&self, area: Area) -> Option<Region> {
        Region::clip(
            area,
            self.screen.width().into(),
            self.screen.height().into(),
        )
    }

    /// Waits until something matches, or until nothing does (`gone`).
    ///
    /// # Errors
    /// `desktop.timeout` and those of [`Eyes::find`].
    pub fn wait(
        &mut self,
        target: &Target,
        gone: bool,
        deadline: Deadline,
    ) -> Result<Option<Found>, Failure> {
        loop {
            let mut found = self.find(target)?;
            if found.is_empty() == gone {
                return Ok(found.drain(..).next());
            }
            if deadline.is_over() {
                let what = if gone {
                    "was still there"
                } else {
                    "did not appear"
                };
                let message = format!("{} {what} in time", describe(target));
                return Err(Failure::new(&code::TIMEOUT, message));
            }
            self.screen.wait_for_change(deadline.left().min(LOOK))?;
        }
    }

    /// The one thing to use, ready to be used at once.
    ///
    /// # Errors
    /// `desktop.ambiguous` at once; `desktop.not-found` and `desktop.unstable`
    /// when the deadline or five seconds are over; those of [`Eyes::find`].
    pub fn aim(&mut self, target: &Target, deadline: Deadline) -> Result<Found, Failure> {
        let deadline = deadline.or_in(PATIENCE);
        loop {
            let failure = match self.look_twice(target)? {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            if failure.code == &code::AMBIGUOUS || deadline.is_over() {
                return Err(failure);
            }
            self.screen.wait_for_change(deadline.left().min(LOOK))?;
        }
    }

    /// The one thing to read: unique, but it may change or be disabled.
    ///
    /// # Errors
    /// As [`Eyes::aim`], without `desktop.unstable`.
    pub fn aim_to_read(&mut self, target: &Target, deadline: Deadline) -> Result<Found, Failure> {
        let deadline = deadline.or_in(PATIENCE);
        loop {
            let failure = match self.only(target)? {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            if failure.code == &code::AMBIGUOUS || deadline.is_over() {
                return Err(failure);
            }
            self.screen.wait_for_change(deadline.left().min(LOOK))?;
        }
    }

    /// One attempt to aim; the inner error is a reason to try again.
    fn look_twice(&mut self, target: &Target) -> Result<Result<Found, Failure>, Failure> {
        let first = match self.only(target)? {
            Ok(found) => found,
            Err(failure) => return Ok(Err(failure)),
        };
        let before = self.screen.capture()?;
        self.screen.wait_for_change(STILL)?;
        let after = self.screen.capture()?;
        let second = match self.only(target)? {
            Ok(found) => found,
            Err(failure) => return Ok(Err(failure)),
        };
        let unstable = |why: &str| {
            Ok(Err(Failure::new(
                &code::UNSTABLE,
                format!("{} {why}", describe(target)),
            )))
        };
        let still = |frame: &Frame, region| before.same(frame, region);
        if first.area != second.area
            || !self
                .clip(second.area)
                .is_some_and(|region| still(&after, region))
        {
            return unstable("moves or changes");
        }
        if let Some(element) = &second.element {
            if !element.is(State::Sensitive) {
                return unstable("is not ready for use");
            }
            let (x, y) = middle(second.area);
            let owner = self.accessibility.owner(&element.address);
            let on_top = self.windows.owner_at(&self.screen, x, y)?;
            if owner
                .zip(on_top)
                .is_some_and(|(owner, on_top)| owner != on_top)
            {
                return unstable("is covered by another application's window");
            }
        }
        Ok(Ok(second))
    }

    fn only(&mut self, target: &Target) -> Result<Result<Found, Failure>, Failure> {
        let mut found = self.find(target)?;
        let failure = |code, message| Ok(Err(Failure::new(code, message)));
        match (found.pop(), found.len()) {
            (Some(only), 0) => Ok(Ok(only)),
            (Some(_), more) => {
                let count = more.saturating_add(1);
                failure(
                    &code::AMBIGUOUS,
                    format!("{} is there {count} times", describe(target)),
                )
            }
            (None, _) => failure(
                &code::NOT_FOUND,
                format!("{} is not on the screen", describe(target)),
            ),
        }
    }
}

/// Lines that are the text, or if none is, that contain it; spaces do not count.
///
/// Where a line contains it, the area is the part of the line that it takes up if
/// all characters are equally wide.
fn matching(lines: &[Line], text: &str) -> Vec<Found> {
    let squeeze = |text: &str| {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
    };
    let wanted = squeeze(text);
    if wanted.is_empty() {
        return Vec::new();
    }
    let found = |line: &Line, area| Found {
        area,
        text: line.text.clone(),
        element: None,
    };
    let squeezed: Vec<(&Line, String)> = lines
        .iter()
        .map(|line| (line, squeeze(&line.text)))
        .collect();
    let equal: Vec<Found> = squeezed
        .iter()
        .filter(|(_, text)| *text == wanted)
        .map(|(line, _)| found(line, line.area))
        .collect();
    if !equal.is_empty() {
        return equal;
    }
    squeezed
        .iter()
        .filter_map(|(line, text)| {
            let (head, _) = text.split_once(wanted.as_str())?;
            Some(found(line, part(line.area, text, head, &wanted)))
        })
        .collect()
}

fn part(area: Area, all: &str, head: &str, wanted: &str) -> Area {
    let count = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let scaled = |n: i64| {
        let width = i64::from(area.w).saturating_mul(n) / count(all).max(1);
        i32::try_from(width).unwrap_or(area.w)
    };
    Area {
        x: area.x.saturating_add(scaled(count(head))),
        w: scaled(count(wanted)).max(1),
        ..area
    }
}

/// The middle of an area that is inside a screen.
pub fn middle(area: Area) -> (i16, i16) {
    let half =
        |from: i32, length: i32| i16::try_from(from.saturating_add(length / 2)).unwrap_or(i16::MAX);
    (half(area.x, area.w), half(area.y, area.h))
}

fn place(area: Area) -> String {
    format!("the area {},{} {}x{}", area.x, area.y, area.w, area.h)
}

/// A target in words, for messages.
pub fn describe(target: &Target) -> String {
    match target {
        Target::Element { name, role, window } => {
            let mut text = format!(
                "the {} {}",
                role.as_deref().unwrap_or("element"),
                quoted(name)
            );
            if let Some(window) = window {
                text.push_str(&format!(" of window {}", quoted(window)));
            }
            text
        }
        Target::Text { text, within } => {
            let at = within
                .map(|area| format!(" within {}", place(area)))
                .unwrap_or_default();
            format!("the text {}{at}", quoted(text))
        }
        Target::Window { title } => format!("the window {}", quoted(title)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, x: i32) -> Line {
        let area = Area {
            x,
            y: 0,
            w: 100,
            h: 20,
        };
        Line {
            text: text.to_owned(),
            area,
            confidence: 900,
        }
    }

    #[test]
    fn spaces_do_not_count_and_whole_lines_come_first() {
        let lines = [
            line("Net amount due", 0),
            line("Netamount", 200),
            line("Other", 300),
        ];
        let found = matching(&lines, "Net amount");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].area.x, 200);
    }

    #[test]
    fn a_part_of_a_line_is_where_it_stands_in_it() {
        let found = matching(&[line("aaaaabbbbb", 100)], "bb bbb");
        assert_eq!(
            found[0].area,
            Area {
                x: 150,
                y: 0,
                w: 50,
                h: 20
            }
        );
        assert!(matching(&[line("anything", 0)], "  ").is_empty());
    }

    #[test]
    fn two_equal_lines_are_both_found() {
        assert_eq!(matching(&[line("OK", 0), line("O K", 500)], "OK").len(), 2);
    }
}
