//! A desktop with hands, as agentd makes them for a job.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use casemate_agentd::pack::{ReleaseKey, SignedPack};
use casemate_agentd::sandbox::enclosure::{AGENTD, Enclosure, Extra, PACKS};
use casemate_agentd::sandbox::{Bind, How, LaunchSpec, Narrowed, Right, Running, Sandbox};
use casemate_agentd::supervisor::workspace::Workspace;
use casemate_protocol::action::{Action, Area, Button, Outcome, Target};
use casemate_protocol::compartment::{FromHands, FromSession, ToHands, ToSession};
use casemate_protocol::{frame, id::JobId};

/// Generous: the box may be busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where the rooms have the program of the hands.
const HANDS: &str = "/brought/agent-hands";
/// Host ids of the rooms; other tests use other ranges.
const UID_BASE: u32 = 1_600_000;
/// How many one process takes: a runner has several cases at once.
const UID_COUNT: u32 = 1000;

/// Runs this program again, as `inside` with one argument, in agentd's rooms with
/// the built packs and this program of the hands.
pub(crate) fn enter(argument: &str, hands: &Path, more: Vec<Extra>) -> ExitCode {
    ended(&rooms(argument, hands, more).run().unwrap())
}

/// Those rooms.
pub(crate) fn rooms(argument: &str, hands: &Path, more: Vec<Extra>) -> Enclosure {
    assert!(nix::unistd::geteuid().is_root(), "this needs root");
    let var = Path::new(env!("CARGO_MANIFEST_DIR")).join("../var");
    let key = ReleaseKey::read(&var.join("dev/release.pub")).expect("run `make packs` first");
    let packs = ["desktop", "ocr"].map(|name| {
        let path = var.join(format!("packs/{name}.pack"));
        let pack = SignedPack::read(&path, &key).expect("run `make packs` first");
        pack.verify().unwrap().mount().unwrap()
    });
    Enclosure {
        egress: None,
        packs: packs.into(),
        programs: None,
        extra: std::iter::once(Extra::read_only(hands.to_owned(), HANDS.to_owned()))
            .chain(more)
            .collect(),
        uid_base: UID_BASE + std::process::id() % 1000 * UID_COUNT,
        uid_count: UID_COUNT,
        passed: None,
        arguments: vec!["inside".to_owned(), argument.to_owned()],
    }
}

/// The exit code for how the inner half ended.
pub(crate) fn ended(how: &How) -> ExitCode {
    match how {
        How::Exited(code) => ExitCode::from(u8::try_from(*code).unwrap_or(101)),
        other => panic!("the inner half ended: {other:?}"),
    }
}

/// One desktop, its hands, and what they have done so far.
pub(crate) struct Stage {
    pub workspace: Workspace,
    pub desktop: Running,
    session: UnixStream,
    pub hands: UnixStream,
    _hands: Running,
    number: u64,
    /// Time from `Start` to `Ready`, and of `Connect`.
    pub took: (Duration, Duration),
}

impl Stage {
    /// Starts both sandboxes, brings the desktop up and connects the hands.
    pub(crate) fn up(name: &str) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (desktop_uid, hands_uid) = (u32::from(number) * 2, u32::from(number) * 2 + 1);
        let workspace = Workspace::create(JobId([number; 16]), 256, desktop_uid).unwrap();
        let bind = |from: &Path, at: &str, right| Bind {
            from: from.to_str().unwrap().to_owned(),
            at: at.to_owned(),
            right,
        };
        let (session, theirs) = UnixStream::pair().unwrap();
        let name = name.replace('_', "-");
        let spec = |profile: &str, uid, binds, argv: &[&str], passed: UnixStream| LaunchSpec {
            egress: false,
            profile: profile.to_owned(),
            name: format!("{profile}-{name}"),
            uid,
            root: format!("{PACKS}/desktop"),
            binds,
            argv: argv.iter().map(|part| (*part).to_owned()).collect(),
            environment: vec![("HOME".to_owned(), "/home/job".to_owned())],
            passed: Some(passed.into()),
            limits: Narrowed::default(),
        };
        let desktop = Sandbox::spawn(spec(
            "desktop",
            desktop_uid,
            vec![
                bind(Path::new(AGENTD), "/agent/agentd", Right::Execute),
                bind(&workspace.desk(), "/run/desk", Right::Write),
                bind(&workspace.x11(), "/tmp/.X11-unix", Right::Write),
                bind(&workspace.work(), "/workspace", Right::Write),
            ],
            &["/agent/agentd", "session"],
            theirs,
        ))
        .unwrap();
        let (hands, theirs) = UnixStream::pair().unwrap();
        let running = Sandbox::spawn(spec(
            "hands",
            hands_uid,
            vec![
                bind(Path::new(HANDS), "/agent/agent-hands", Right::Execute),
                bind(&workspace.desk(), "/run/desk", Right::Read),
                bind(&Path::new(PACKS).join("ocr"), "/models", Right::Read),
            ],
            &["/agent/agent-hands"],
            theirs,
        ))
        .unwrap();
        for channel in [&session, &hands] {
            channel.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let zero = (Duration::ZERO, Duration::ZERO);
        let mut stage = Self {
            workspace,
            desktop,
            session,
            hands,
            _hands: running,
            number: 0,
            took: zero,
        };
        let started = Instant::now();
        let ready = stage.ask(&ToSession::Start {
            width: 1920,
            height: 1080,
        });
        let up = started.elapsed();
        let log = || String::from_utf8_lossy(&stage.desktop.output_tail()).into_owned();
        assert_eq!(ready, FromSession::Ready, "{}", log());
        let started = Instant::now();
        frame::write(&mut stage.hands, &ToHands::Connect).unwrap();
        let ready: FromHands = frame::read(&mut stage.hands, frame::FROM_HANDS).unwrap();
        assert_eq!(
            ready,
            FromHands::Ready {
                width: 1920,
                height: 1080
            }
        );
        stage.took = (up, started.elapsed());
        stage
    }

    /// Puts a file under `/workspace/in`.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        self.workspace.put_input(name, &mut &*bytes).unwrap();
    }

    fn ask(&mut self, request: &ToSession) -> FromSession {
        frame::write(&mut self.session, request).unwrap();
        frame::read(&mut self.session, frame::FROM_SESSION).unwrap()
    }

    /// Opens a program of the pack, named after itself.
    pub(crate) fn open(&mut self, program: &str, arguments: &[&str]) {
        let argv = std::iter::once(format!("/usr/bin/{program}"))
            .chain(arguments.iter().map(|a| (*a).to_owned()))
            .collect();
        let answer = self.ask(&ToSession::Open {
            app: program.to_owned(),
            argv,
        });
        assert_eq!(answer, FromSession::Done);
    }

    /// Closes it.
    pub(crate) fn close(&mut self, program: &str) {
        let answer = self.ask(&ToSession::Close {
            app: program.to_owned(),
        });
        assert_eq!(answer, FromSession::Done);
    }

    /// Sends one step without waiting for its answer.
    pub(crate) fn send(&mut self, action: Action) -> u64 {
        self.number += 1;
        let (number, deadline_ms) = (self.number, 100_000);
        let act = ToHands::Act {
            number,
            action,
            deadline_ms,
            picture: false,
        };
        frame::write(&mut self.hands, &act).unwrap();
        number
    }

    /// One step and its outcome.
    pub(crate) fn act(&mut self, action: Action) -> (Outcome, Option<Area>) {
        let expected = self.send(action);
        match frame::read(&mut self.hands, frame::FROM_HANDS).unwrap() {
            FromHands::Done {
                number,
                outcome,
                area,
                ..
            } => {
                assert_eq!(number, expected);
                (outcome, area)
            }
            other => panic!("{other:?}"),
        }
    }

    /// A step that has to succeed with nothing to say.
    pub(crate) fn done(&mut self, action: Action) {
        let shown = format!("{action:?}");
        assert_eq!(self.act(action).0, Outcome::Done, "{shown}");
    }

    /// A step that has to fail with this code; its sentence.
    pub(crate) fn fails(&mut self, expected: &str, action: Action) -> String {
        match self.act(action).0 {
            Outcome::Failed { code, message } if code == expected => message,
            other => panic!("{expected} was expected: {other:?}"),
        }
    }

    /// Has the hands wait for what never comes, and ends the desktop meanwhile.
    pub(crate) fn wait_sent_then_kill(&mut self) {
        self.send(Action::Wait {
            target: window("never"),
            timeout_ms: 90_000,
            gone: false,
        });
        self.desktop.kill();
    }

    pub(crate) fn wait(&mut self, target: Target) {
        self.done(Action::Wait {
            target,
            timeout_ms: 60_000,
            gone: false,
        });
    }

    pub(crate) fn click(&mut self, target: Target) {
        self.done(click(target));
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.done(Action::Type {
            text: text.to_owned(),
            into: None,
        });
    }

    pub(crate) fn keys(&mut self, chords: &[&str]) {
        let chords = chords.iter().map(|c| (*c).to_owned()).collect();
        self.done(Action::Keys { chords });
    }

    pub(crate) fn read(&mut self, target: Target) -> String {
        match self.act(Action::Read { target }).0 {
            Outcome::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }
}

/// A single left click.
pub(crate) fn click(target: Target) -> Action {
    Action::Click {
        target,
        button: Button::Left,
        count: 1,
    }
}

/// An element by name and role.
pub(crate) fn element(name: &str, role: &str) -> Target {
    Target::Element {
        name: name.to_owned(),
        role: Some(role.to_owned()),
        window: None,
    }
}

/// A window by a part of its title.
pub(crate) fn window(title: &str) -> Target {
    Target::Window {
        title: title.to_owned(),
    }
}
