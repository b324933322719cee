//! Verbs that look at the desktop and act on it.

#![expect(
    clippy::too_many_arguments,
    reason = "a verb's arguments are the named arguments of the script"
)]

use casemate_protocol::action::{Action, Area, Button, Line, Outcome, Target};
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::Value;
use starlark::values::float::UnpackFloat;
use starlark::values::list_or_tuple::UnpackListOrTuple;
use starlark::values::none::{NoneOr, NoneType};
use starlark::values::structs::AllocStruct;
use starlark::values::tuple::UnpackTuple;

use super::answer::{ask, done, outcome, text, unexpected};
use super::code;
use super::failure::Raised;

/// How long `wait` waits unless told, in seconds.
const PATIENCE: f64 = 10.0;
/// Longest wait of one verb, in seconds.
const LONGEST: f64 = 3600.0;

/// Four numbers of a script: left, top, width, height.
type Box4 = UnpackListOrTuple<i32>;

fn area(within: NoneOr<Box4>) -> Result<Option<Area>, Raised> {
    let Some(numbers) = within.into_option() else {
        return Ok(None);
    };
    match *numbers.items.as_slice() {
        [x, y, w, h] if w > 0 && h > 0 => Ok(Some(Area { x, y, w, h })),
        _ => Err(Raised::new(
            &code::ARGUMENT,
            "`within=` is (x, y, width, height) in pixels, the last two above zero",
        )),
    }
}

/// The ways in which a script says what it means, at most one of them.
struct Said {
    name: NoneOr<String>,
    role: NoneOr<String>,
    window: NoneOr<String>,
    text: NoneOr<String>,
    within: NoneOr<Box4>,
    title: NoneOr<String>,
}

impl Said {
    fn optional(self) -> Result<Option<Target>, Raised> {
        let name = self.name.into_option();
        let text = self.text.into_option();
        let title = self.title.into_option();
        let (role, window) = (self.role.into_option(), self.window.into_option());
        let within = area(self.within)?;
        let refuse = |why: &str| Err(Raised::new(&code::ARGUMENT, why));
        if name.is_none() && (role.is_some() || window.is_some()) {
            return refuse("`role=` and `window=` go with `name=`");
        }
        if text.is_none() && within.is_some() {
            return refuse("`within=` goes with `text=`");
        }
        match (name, text, title) {
            (Some(name), None, None) => Ok(Some(Target::Element { name, role, window })),
            (None, Some(text), None) if !text.trim().is_empty() => {
                Ok(Some(Target::Text { text, within }))
            }
            (None, Some(_), None) => refuse("`text=` is empty"),
            (None, None, Some(title)) => Ok(Some(Target::Window { title })),
            (None, None, None) => Ok(None),
            _ => refuse("give one of `name=`, `text=` and `title=`, not several"),
        }
    }

    fn required(self) -> Result<Target, Raised> {
        self.optional()?.ok_or_else(|| {
            Raised::new(
                &code::ARGUMENT,
                "say what is meant: `name=` (with `role=`, `window=`), `text=` (with `within=`) or `title=`",
            )
        })
    }
}

/// Milliseconds from the seconds of a script.
fn milliseconds(seconds: f64) -> Result<u32, Raised> {
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(Raised::new(
            &code::ARGUMENT,
            format!("`timeout={seconds}` is outside 0 to {LONGEST} seconds"),
        ));
    }
    // In range by the check above, so parsing its text cannot fail.
    Ok(format!("{:.0}", seconds * 1000.0)
        .parse()
        .unwrap_or(u32::MAX))
}

fn button(word: &str) -> Result<Button, Raised> {
    match word {
        "left" => Ok(Button::Left),
        "middle" => Ok(Button::Middle),
        "right" => Ok(Button::Right),
        _ => Err(Raised::new(
            &code::ARGUMENT,
            format!("`button={word:?}`: there are left, middle and right"),
        )),
    }
}

fn line<'v>(line: &Line, eval: &Evaluator<'v, '_, '_>) -> Value<'v> {
    let heap = eval.heap();
    heap.alloc(AllocStruct([
        ("text", heap.alloc(line.text.as_str())),
        ("x", heap.alloc(line.area.x)),
        ("y", heap.alloc(line.area.y)),
        ("w", heap.alloc(line.area.w)),
        ("h", heap.alloc(line.area.h)),
        ("confidence", heap.alloc(i32::from(line.confidence))),
    ]))
}

/// Whether a failed wait only means that it did not happen in time.
fn not_in_time(code: &str) -> bool {
    code.ends_with(".timeout")
}

/// The verbs.
#[starlark_module]
pub fn verbs(builder: &mut GlobalsBuilder) {
    /// Starts an application of the pack with workspace files such as `in/a.pdf`.
    fn open<'v>(
        #[starlark(require = pos)] app: String,
        #[starlark(args)] files: UnpackTuple<String>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let files = files.items;
        done(eval, Action::Open { app, files })?;
        Ok(NoneType)
    }

    /// Ends every process of an application that this job opened.
    fn close<'v>(
        #[starlark(require = pos)] app: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::Close { app })?;
        Ok(NoneType)
    }

    /// Waits until something is visible, or with `gone=True` until it is not, for
    /// ten seconds unless `timeout=` says otherwise.
    ///
    /// `name=` is an accessible element's exact name, with `role=` an AT-SPI role
    /// and `window=` part of its window's title; `text=` is text read from pixels,
    /// compared without spaces, `within=(x, y, w, h)` says where; `title=` is part
    /// of a window's title. In vain, it fails with a code ending in `.timeout`.
    fn wait<'v>(
        #[starlark(require = named, default = NoneOr::None)] name: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] role: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] window: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] text: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] within: NoneOr<Box4>,
        #[starlark(require = named, default = NoneOr::None)] title: NoneOr<String>,
        #[starlark(require = named, default = UnpackFloat(PATIENCE))] timeout: UnpackFloat,
        #[starlark(require = named, default = false)] gone: bool,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let target = Said {
            name,
            role,
            window,
            text,
            within,
            title,
        }
        .required()?;
        let timeout_ms = milliseconds(timeout.0)?;
        done(
            eval,
            Action::Wait {
                target,
                timeout_ms,
                gone,
            },
        )?;
        Ok(NoneType)
    }

    /// As `wait`, but says `False` if it did not happen in time; everything else
    /// that goes wrong, a missing grant too, still fails.
    fn try_wait<'v>(
        #[starlark(require = named, default = NoneOr::None)] name: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] role: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] window: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] text: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] within: NoneOr<Box4>,
        #[starlark(require = named, default = NoneOr::None)] title: NoneOr<String>,
        #[starlark(require = named, default = UnpackFloat(PATIENCE))] timeout: UnpackFloat,
        #[starlark(require = named, default = false)] gone: bool,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<bool> {
        let target = Said {
            name,
            role,
            window,
            text,
            within,
            title,
        }
        .required()?;
        let timeout_ms = milliseconds(timeout.0)?;
        match outcome(
            eval,
            Action::Wait {
                target,
                timeout_ms,
                gone,
            },
        )? {
            Outcome::Failed { code, .. } if not_in_time(&code) => Ok(false),
            Outcome::Failed { code, message } => Err(Raised { code, message }.into()),
            Outcome::Done | Outcome::Text(_) => Ok(true),
            other => Err(unexpected(&other)),
        }
    }

    /// Presses a mouse button on something that must be there once; see `wait`
    /// for how to say what. `button` is left, middle or right, `count` 1 to 3.
    fn click<'v>(
        #[starlark(require = named, default = NoneOr::None)] name: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] role: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] window: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] text: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] within: NoneOr<Box4>,
        #[starlark(require = named, default = NoneOr::None)] title: NoneOr<String>,
        #[starlark(require = named, default = "left")] button: &str,
        #[starlark(require = named, default = 1)] count: i32,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let target = Said {
            name,
            role,
            window,
            text,
            within,
            title,
        }
        .required()?;
        let button = self::button(button)?;
        let count = match u8::try_from(count) {
            Ok(count @ 1..=3) => count,
            _ => return Err(Raised::new(&code::ARGUMENT, "`count=` is 1, 2 or 3").into()),
        };
        done(
            eval,
            Action::Click {
                target,
                button,
                count,
            },
        )?;
        Ok(NoneType)
    }

    /// Types text into what has the focus, or into the element that `name=`,
    /// `role=` and `window=` say, and reads it back; different text is a failure.
    fn type_text<'v>(
        #[starlark(require = pos)] text: String,
        #[starlark(require = named, default = NoneOr::None)] name: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] role: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] window: NoneOr<String>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let into = Said {
            name,
            role,
            window,
            text: NoneOr::None,
            within: NoneOr::None,
            title: NoneOr::None,
        }
        .optional()?;
        done(eval, Action::Type { text, into })?;
        Ok(NoneType)
    }

    /// Presses key chords in order, such as `keys("ctrl+s", "Return")`.
    fn keys<'v>(
        #[starlark(args)] chords: UnpackTuple<String>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let chords = chords.items;
        if chords.is_empty() {
            return Err(Raised::new(&code::ARGUMENT, "`keys` needs at least one chord").into());
        }
        done(eval, Action::Keys { chords })?;
        Ok(NoneType)
    }

    /// The text of an accessible element; `name=` is its exact name.
    fn read<'v>(
        #[starlark(require = named)] name: String,
        #[starlark(require = named, default = NoneOr::None)] role: NoneOr<String>,
        #[starlark(require = named, default = NoneOr::None)] window: NoneOr<String>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<String> {
        let target = Target::Element {
            name,
            role: role.into_option(),
            window: window.into_option(),
        };
        text(eval, Action::Read { target })
    }

    /// Lines of text read from pixels, of the whole screen or of
    /// `within=(x, y, w, h)`: a list of structs with `text`, `x`, `y`, `w`, `h`
    /// and `confidence` (the lowest of its characters, in thousandths). Spaces in
    /// the text are unreliable.
    fn read_screen<'v>(
        #[starlark(require = named, default = NoneOr::None)] within: NoneOr<Box4>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Vec<Value<'v>>> {
        let within = area(within)?;
        match ask(eval, Action::ReadScreen { within })? {
            Outcome::Lines(lines) => Ok(lines.iter().map(|read| line(read, eval)).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// Keeps a picture of the desktop as an artifact.
    fn screenshot<'v>(
        #[starlark(require = pos)] label: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::Screenshot { label })?;
        Ok(NoneType)
    }
}
