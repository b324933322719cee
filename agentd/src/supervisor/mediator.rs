//! The mediator: the only way from a workflow to the desktop.
//!
//! Every action of the interpreter passes [`Mediator::perform`], in this order:
//! count it, check it against the grants of the immutable specification, have
//! the daemon make an acting step durable, perform it, report how it ended. What
//! the eyes and hands answer is checked for shape and kind, and for nothing
//! else: it is their claim.

use std::time::{Duration, Instant};

use casemate_protocol::action::{Action, Area, Outcome};
use casemate_protocol::compartment::{FromHands, FromSession, ToHands, ToSession};
use casemate_protocol::denial::Denial;
use casemate_protocol::event::{ArtifactKind, Event, StepResult};
use casemate_protocol::id::Digest;
use casemate_protocol::job::{JobSpec, NotGranted};

use super::channel::{Channel, ChannelError};
use super::code;
use super::compartments::{SheetCheck, SheetVerdict};
use super::denials::Denials;
use super::files::{self, FileError};
use super::ground::DesktopPack;
use super::link::JobLink;
use super::stop::Stop;
use super::words::{bounded, describe, fits, shorten};
use super::workspace::Workspace;
use crate::pack::Application;

/// Time that an action may take beside the waiting it asks for.
const ACTION: Duration = Duration::from_secs(60);
/// Most text that a script may read from or write to a workspace file.
const TEXT: u64 = 256 << 10;
/// Largest file that a strict sandbox checks.
const CHECKED: u64 = 32 << 20;

/// One job's mediator; it lives as long as the script runs.
#[derive(Debug)]
pub struct Mediator<'j> {
    /// What the job is.
    pub spec: &'j JobSpec,
    /// The pack it runs in.
    pub pack: &'j DesktopPack,
    /// Its folders.
    pub workspace: &'j Workspace,
    /// Where it reports.
    pub report: &'j mut JobLink,
    /// What is denied to it.
    pub denials: &'j Denials,
    /// Its eyes and hands.
    pub hands: &'j mut Channel,
    /// Its desktop session.
    pub session: &'j mut Channel,
    /// Checks a sheet in a fresh strict sandbox.
    pub checker: &'j dyn SheetCheck,
    /// When the job was leased.
    pub leased: Instant,
    /// When it must be over.
    pub deadline: Instant,
    /// Actions so far.
    pub steps: u32,
    /// The last picture that was kept.
    pub picture: Option<String>,
}

/// What performing an action gave, beside its outcome.
#[derive(Debug, Default)]
struct Seen {
    area: Option<Area>,
    picture: Option<Vec<u8>>,
}

impl Mediator<'_> {
    /// Performs one action of the script, or says why not.
    ///
    /// # Errors
    /// [`Stop`] when the job must end; a refused or failed action is an [`Outcome`].
    pub fn perform(&mut self, action: &Action) -> Result<Outcome, Stop> {
        self.steps = self.steps.saturating_add(1);
        if self.steps > self.spec.limits.steps {
            return Err(Stop::Steps);
        }
        if Instant::now() >= self.deadline {
            return Err(Stop::Deadline);
        }
        let Some(verb) = action.verb() else {
            return self.note(action);
        };
        if let Err(missing) = self.spec.grants.check(action) {
            let denial = ungranted(&missing);
            let (code, message) = (code::JOB_NOT_GRANTED.id.to_owned(), denial.sentence());
            let at_ms = self.elapsed();
            self.report.report(Event::Denied { denial, at_ms })?;
            let result = StepResult::Refused {
                code: code.clone(),
                message: message.clone(),
            };
            self.done(action, result, Instant::now(), Seen::default())?;
            return Ok(Outcome::Failed { code, message });
        }
        if verb.acts() {
            self.denials.acting();
            self.report.report_durably(Event::StepStarted {
                step: self.steps,
                verb: verb.word().to_owned(),
                target: describe(action),
                at_ms: self.elapsed(),
            })?;
        }
        let began = Instant::now();
        let (mut outcome, seen) = self.act(action)?;
        if let Outcome::Failed { message, .. } = &mut outcome {
            *message = self.denials.explained(std::mem::take(message));
        }
        let result = match &outcome {
            Outcome::Failed { code, message } => StepResult::Failed {
                code: code.clone(),
                message: message.clone(),
            },
            _ => StepResult::Ok,
        };
        self.done(action, result, began, seen)?;
        Ok(outcome)
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.leased.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Log lines, findings and rows: they reach no application.
    fn note(&mut self, action: &Action) -> Result<Outcome, Stop> {
        let event = match action.clone() {
            Action::Log { text } => Event::Log {
                text: shorten(text, 4096),
            },
            Action::Finding { item, text } => Event::Finding {
                item: shorten(item, 256),
                text: shorten(text, 4096),
            },
            Action::Row { cells } => Event::Row { cells },
            _ => return Ok(Outcome::Done),
        };
        self.report.report(event)?;
        Ok(Outcome::Done)
    }

    fn done(
        &mut self,
        action: &Action,
        result: StepResult,
        began: Instant,
        seen: Seen,
    ) -> Result<(), Stop> {
        if let Some(png) = seen.picture {
            let name = format!("step-{:05}.png", self.steps);
            self.report
                .artifact(&name, ArtifactKind::Screenshot, "image/png", &png)?;
            self.picture = Some(name);
        }
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report.report(Event::StepDone {
            step: self.steps,
            verb: action.verb().map_or("note", |verb| verb.word()).to_owned(),
            target: describe(action),
            result,
            at_ms: self.elapsed(),
            took_ms: took,
            area: seen.area,
            screenshot: self.picture.clone(),
        })?;
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(Outcome, Seen), Stop> {
        if action.is_for_hands() {
            return self.by_hands(action);
        }
        let outcome = match action {
            Action::Open { app, files } => self.open(app, files)?,
            Action::Close { app } => self.session(&ToSession::Close { app: app.clone() })?,
            Action::VerifySheet { path, rows } => self.verify(path, rows)?,
            _ => self
                .file(action)
                .unwrap_or_else(|e| failed(file_code(&e), e.to_string())),
        };
        Ok((outcome, Seen::default()))
    }

    fn by_hands(&mut self, action: &Action) -> Result<(Outcome, Seen), Stop> {
        let lost = |error| Stop::Lost {
            which: "hands",
            error,
        };
        let asked = match action {
            Action::Wait { timeout_ms, .. } => Duration::from_millis(u64::from(*timeout_ms)),
            _ => Duration::ZERO,
        };
        let until = self.deadline.min(Instant::now() + asked + ACTION);
        let left = until.saturating_duration_since(Instant::now());
        let number = u64::from(self.steps);
        let request = ToHands::Act {
            number,
            action: action.clone(),
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            picture: true,
        };
        self.hands.send(&request).map_err(lost)?;
        match self
            .hands
            .receive(until)
            .map_err(|e| self.late(e, until))
            .map_err(|e| match e {
                Some(error) => lost(error),
                None => Stop::Deadline,
            })? {
            FromHands::Done {
                number: answered,
                outcome,
                area,
                picture,
            } if answered == number && fits(action, &outcome) => {
                let picture = picture
                    .map(Vec::from)
                    .filter(|png| png.starts_with(b"\x89PNG"));
                Ok((bounded(outcome), Seen { area, picture }))
            }
            // The hands' own word that they cannot go on, mostly since the desktop died before
            // anyone else saw it: a loss, not an attack.
            FromHands::Broken { code, message } => {
                let said = shorten(format!("{message} ({code})"), 500);
                Err(lost(ChannelError::Io(std::io::Error::other(said))))
            }
            other => {
                let kind = match other {
                    FromHands::Ready { .. } => "a second greeting",
                    _ => "an answer that does not fit the request",
                };
                Err(lost(ChannelError::Malformed(kind.to_owned())))
            }
        }
    }

    /// Tells the job's own deadline (`None`) from a compartment that hangs.
    fn late(&self, error: ChannelError, until: Instant) -> Option<ChannelError> {
        match error {
            ChannelError::Late if until >= self.deadline => None,
            other => Some(other),
        }
    }

    fn session(&mut self, request: &ToSession) -> Result<Outcome, Stop> {
        let lost = |error| Stop::Lost {
            which: "desktop",
            error,
        };
        let until = self.deadline.min(Instant::now() + ACTION);
        self.session.send(request).map_err(lost)?;
        let answer = self.session.receive(until).map_err(|e| self.late(e, until));
        match answer {
            Ok(FromSession::Done) => Ok(Outcome::Done),
            Ok(FromSession::Failed { code, message }) => Ok(Outcome::Failed {
                code: shorten(code, 64),
                message: shorten(message, 500),
            }),
            Ok(FromSession::Ready) => Err(lost(ChannelError::Malformed(
                "a second greeting".to_owned(),
            ))),
            Err(Some(error)) => Err(lost(error)),
            Err(None) => Err(Stop::Deadline),
        }
    }

    fn open(&mut self, app: &str, paths: &[String]) -> Result<Outcome, Stop> {
        let Some(application) = self
            .pack
            .applications
            .iter()
            .find(|known| known.name == app)
        else {
            let message = format!("the desktop pack has no application `{app}`");
            return Ok(failed(&code::JOB_NO_APPLICATION, message));
        };
        for path in paths {
            let opened = if files::is_workspace_path(path) {
                files::open_regular(self.workspace.root(), path, u64::MAX).map(drop)
            } else {
                Err(FileError::Name(path.clone()))
            };
            if let Err(e) = opened {
                return Ok(failed(file_code(&e), e.to_string()));
            }
        }
        match argv(application, paths) {
            Some(argv) => self.session(&ToSession::Open {
                app: app.to_owned(),
                argv,
            }),
            None => {
                let message =
                    format!("`{app}` takes at most one file, and only where its pack says so");
                Ok(failed(&code::JOB_NO_APPLICATION, message))
            }
        }
    }

    fn file(&mut self, action: &Action) -> Result<Outcome, FileError> {
        let root = self.workspace.root();
        let named = |path: &String| match files::is_workspace_path(path) {
            true => Ok(()),
            false => Err(FileError::Name(path.clone())),
        };
        match action {
            Action::ListFiles { folder } if folder == "in" || folder == "out" => {
                Ok(Outcome::Names(files::list(root, folder)?))
            }
            Action::ReadFile { path } => {
                named(path)?;
                let bytes = files::read_regular(root, path, TEXT)?;
                match String::from_utf8(bytes) {
                    Ok(text) => Ok(Outcome::Text(text)),
                    Err(_) => Ok(failed(
                        &code::FILE_REFUSED,
                        format!("`{path}` is not UTF-8 text"),
                    )),
                }
            }
            Action::WriteFile { path, text } => {
                named(path)?;
                self.workspace.put_output(path, text.as_bytes())?;
                Ok(Outcome::Done)
            }
            Action::Template { name, path } => {
                named(path)?;
                let bytes = self.pack.template(name)?;
                self.workspace.put_output(path, &bytes)?;
                Ok(Outcome::Done)
            }
            other => Err(FileError::Name(describe(other))),
        }
    }

    fn verify(&mut self, path: &str, rows: &[Vec<String>]) -> Result<Outcome, Stop> {
        let read = if files::is_workspace_path(path) {
            files::read_regular(self.workspace.root(), path, CHECKED)
        } else {
            Err(FileError::Name(path.to_owned()))
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(e) => return Ok(failed(file_code(&e), e.to_string())),
        };
        match self.checker.check(&bytes, rows, self.deadline) {
            SheetVerdict::Equal { rows } => {
                self.report.report(Event::Verified {
                    path: path.to_owned(),
                    digest: Digest::of(&bytes),
                    rows,
                })?;
                Ok(Outcome::Done)
            }
            SheetVerdict::Different(text) => Ok(failed(
                &code::VERIFY_DIFFERENT,
                shorten(format!("{path}: {text}"), 500),
            )),
            SheetVerdict::NotChecked(text) => Ok(failed(
                &code::VERIFY_FAILED,
                shorten(format!("{path}: {text}"), 500),
            )),
        }
    }
}

/// The program's arguments for at most one file, by the pack's own template.
fn argv(application: &Application, paths: &[String]) -> Option<Vec<String>> {
    if paths.len() > usize::from(application.takes_files) {
        return None;
    }
    let file = paths.first().map(|path| format!("/workspace/{path}"));
    let arguments = application
        .args
        .iter()
        .filter_map(|argument| match argument.as_str() {
            "{file}" => file.clone(),
            _ => Some(argument.clone()),
        });
    Some(
        std::iter::once(application.exec.clone())
            .chain(arguments)
            .collect(),
    )
}

/// What the job's own grants do not cover, as a denial.
fn ungranted(missing: &NotGranted) -> Denial {
    let (what, rule) = match missing {
        NotGranted::Verb(verb) => (
            format!("do `{}`", verb.word()),
            format!("add \"{}\" to grants.verbs", verb.word()),
        ),
        NotGranted::Application(app) => (
            format!("open the application {app}"),
            format!("add \"{app}\" to grants.applications"),
        ),
        NotGranted::Output(path) => {
            let name = path.strip_prefix("out/").unwrap_or(path);
            (
                format!("write {path}"),
                format!("add \"{name}\" to grants.outputs"),
            )
        }
    };
    Denial {
        compartment: "script".to_owned(),
        program: "the workflow".to_owned(),
        layer: "grants".to_owned(),
        what: shorten(what, 400),
        why: missing.to_string(),
        rule: Some(shorten(format!("{rule} in its workflow.toml"), 500)),
        count: 1,
    }
}

fn failed(code: &casemate_protocol::Code, message: String) -> Outcome {
    Outcome::Failed {
        code: code.id.to_owned(),
        message,
    }
}

fn file_code(e: &FileError) -> &'static casemate_protocol::Code {
    match e {
        FileError::Missing(_) => &code::FILE_MISSING,
        _ => &code::FILE_REFUSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_where_the_pack_says() {
        let viewer = Application {
            name: "evince".into(),
            exec: "/usr/bin/evince".into(),
            args: vec!["--presentation".into(), "{file}".into()],
            takes_files: true,
        };
        let one = ["in/a.pdf".to_owned()];
        let full = ["/usr/bin/evince", "--presentation", "/workspace/in/a.pdf"];
        assert_eq!(argv(&viewer, &one).unwrap(), full);
        assert_eq!(argv(&viewer, &[]).unwrap(), full[..2]);
        assert_eq!(argv(&viewer, &[one[0].clone(), one[0].clone()]), None);
        let plain = Application {
            args: vec![],
            takes_files: false,
            ..viewer
        };
        assert_eq!(argv(&plain, &one), None);
    }
}
