//! Drives the `agent-script` program over its socket, without any sandbox: what
//! is promised here holds before the sandbox's own limits come in.
//!
//! The shell that starts it sets an address space limit, as the sandbox does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test fails by panicking, also in what its functions call"
)]

mod example;
mod process;

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use casemate_protocol::action::{Action, Area, Line, Outcome, Target, Verb};
use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::compartment::{FromScript, ScriptSetup, ToScript};
use casemate_protocol::frame;
use casemate_protocol::lease::Diagnosis;

use process::{Ended, PATIENCE, Script};

const DECLARATION: &str = r#"
version = 1
name = "test"
summary = "A test."
on_interrupt = "fail"
[grants]
verbs = ["open", "close", "wait", "click", "type", "keys", "read", "cell", "files", "screenshot", "verify"]
applications = ["gnumeric"]
outputs = ["a.xlsx"]
[limits]
script_mib = 64
[parameters]
colour = "blue"
"#;

fn bundle_of(declaration: &str, files: &[(&str, &str)]) -> Bundle {
    Bundle::from_source(
        declaration,
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())),
    )
    .unwrap()
}

fn run_setup(files: &[(&str, &str)], deadline_ms: u64) -> ScriptSetup {
    ScriptSetup::Run {
        bundle: codec::encode(&bundle_of(DECLARATION, files)).into(),
        parameters: vec![("colour".into(), "red".into())],
        inputs: vec!["a.pdf".into(), "b.pdf".into()],
        deadline_ms,
    }
}

fn run_with(main: &str, serve: impl FnMut(&Action) -> Outcome) -> Ended {
    Script::with(&run_setup(&[("main.star", main)], 60_000)).until_it_ends(serve)
}

fn run(main: &str) -> Ended {
    run_with(main, |_| Outcome::Done)
}

fn failure(main: &str) -> (String, String) {
    run(main).failure()
}

fn assert_fails(main: &str, code: &str, says: &str) {
    let (found, message) = failure(main);
    assert_eq!(found, code, "{message}");
    assert!(message.contains(says), "{message}");
}

#[test]
fn every_verb_asks_for_its_action() {
    let source = r#"
open("gnumeric", "out/a.xlsx")
wait(name = "Save", role = "push button", window = "a.xlsx", timeout = 2.5)
wait(text = "Total", within = (1, 2, 30, 40), gone = True)
if not try_wait(title = "gnumeric", timeout = 1): fail("not there")
click(text = "Total", button = "right", count = 2)
type_text("ä\n00411", name = "Name", role = "entry")
type_text("plain")
keys("ctrl+s", "Return")
if read(name = "Sum") != "the text": fail("read")
lines = read_screen(within = (0, 0, 10, 10))
if lines[0].text != "a line" or lines[0].x + lines[0].h != 5 or lines[0].confidence != 990: fail(str(lines))
set_cell("B7", "'00411")
if get_cell("B7") != "the text": fail("cell")
if list_files("in") != ["a.pdf"]: fail("list")
if read_file("in/a.txt") != "the text": fail("file")
write_file("out/a.xlsx", "x")
template("blank.xlsx", "out/a.xlsx")
screenshot("the sheet")
verify_sheet("out/a.xlsx", [["a", "1.50"], ("b", "")])
log("a line")
finding("a.pdf", "odd")
row(number = "7", total = decimal("1.50"))
close("gnumeric")
if params["colour"] != "red" or inputs != ["a.pdf", "b.pdf"]: fail("params")
if squash(" I N V\t1 ") != "INV1": fail("squash")
"#;
    let line = Line {
        text: "a line".into(),
        area: Area {
            x: 1,
            y: 2,
            w: 3,
            h: 4,
        },
        confidence: 990,
    };
    let ended = run_with(source, |action| match action {
        Action::Read { .. } | Action::GetCell { .. } | Action::ReadFile { .. } => {
            Outcome::Text("the text".into())
        }
        Action::ReadScreen { .. } => Outcome::Lines(vec![line.clone()]),
        Action::ListFiles { .. } => Outcome::Names(vec!["a.pdf".into()]),
        _ => Outcome::Done,
    });
    assert_eq!(ended.last, FromScript::Finished);
    assert_eq!(ended.exit.code(), Some(0));
    let verbs: std::collections::BTreeSet<Verb> =
        ended.actions.iter().filter_map(Action::verb).collect();
    assert_eq!(
        verbs.len(),
        Verb::ALL.len(),
        "a verb has no word in the language"
    );
    assert_eq!(
        ended.actions[1],
        Action::Wait {
            target: Target::Element {
                name: "Save".into(),
                role: Some("push button".into()),
                window: Some("a.xlsx".into()),
            },
            timeout_ms: 2500,
            gone: false,
        }
    );
    assert_eq!(
        ended.actions.last(),
        Some(&Action::Close {
            app: "gnumeric".into()
        })
    );
    assert!(ended.actions.contains(&Action::Row {
        cells: vec![
            ("number".into(), "7".into()),
            ("total".into(), "1.50".into())
        ]
    }));
}

#[test]
fn a_failed_action_ends_the_job_with_its_code() {
    let failed = |code: &str| {
        let code = code.to_owned();
        move |_: &Action| Outcome::Failed {
            code: code.clone(),
            message: "expected this, found that".into(),
        }
    };
    let (code, message) = run_with("keys('a')", failed("hands.changed")).failure();
    assert_eq!(code, "hands.changed");
    assert!(
        message.starts_with("main.star:1:1 at `keys('a')`"),
        "{message}"
    );
    assert!(message.contains("expected this, found that"));
    let try_wait = "if try_wait(title = 'x'): fail('no')\nlog('went on')";
    let ended = run_with(try_wait, |action| match action {
        Action::Wait { .. } => failed("wait.timeout")(action),
        _ => Outcome::Done,
    });
    assert_eq!(ended.last, FromScript::Finished);
    // A refusal is never taken for "not there yet".
    let (code, _) = run_with(try_wait, failed("grant.verb")).failure();
    assert_eq!(code, "grant.verb");
}

#[test]
fn errors_carry_their_place() {
    assert_fails("x = 1\ny = x +\n", "script.error", "main.star:2:8");
    assert_fails(
        "def f():\n    return nowhere\nf()",
        "script.error",
        "main.star:2:12",
    );
    assert_fails("while True:\n    pass", "script.error", "main.star:1:1");
    assert_fails("a = [1]\na[7]", "script.error", "main.star:2:1 at `a[7]`");
    assert_fails(
        "def f(n):\n    return g(n)\ndef g(n):\n    return 1 // n\nf(0)",
        "script.error",
        "called as f in main.star:5",
    );
    assert_fails("click()", "script.argument", "say what is meant");
    assert_fails("wait(text = '')", "script.argument", "empty");
    assert_fails(
        "wait(text = 'a', title = 'b')",
        "script.argument",
        "not several",
    );
    assert_fails(
        "wait(title = 'b', timeout = 1e9)",
        "script.argument",
        "timeout",
    );
    assert_fails("fail('the ', 7)", "script.failed", "the 7");
    assert_fails(
        "fail_job('not a PDF', code = 'script.document')",
        "script.document",
        "not a PDF",
    );
    assert_fails(
        "fail_job('x', code = 'journal.damaged')",
        "script.argument",
        "there are script.failed",
    );
    assert_fails("decimal('1,5')", "script.error", "is not a decimal number");
}

#[test]
fn only_the_bundle_can_be_loaded() {
    fn files(main: &str) -> [(&str, &str); 3] {
        [
            (
                "lib/a.star",
                "load('lib/b.star', 'two')\nfour = two + two\nlog('loaded')",
            ),
            ("lib/b.star", "two = 2"),
            ("main.star", main),
        ]
    }
    let run = |main: &str| {
        Script::with(&run_setup(&files(main), 60_000)).until_it_ends(|_| Outcome::Done)
    };
    let ended = run("load('lib/a.star', 'four')\nlog(str(four))");
    assert_eq!(ended.last, FromScript::Finished);
    assert_eq!(ended.actions.len(), 2);
    for path in [
        "/etc/passwd",
        "../main.star",
        "lib/c.star",
        "main.star",
        "@stdlib//x.star",
    ] {
        let (code, message) = run(&format!("load('{path}', 'x')")).failure();
        assert_eq!(code, "script.error");
        assert!(message.contains("main.star:1:6"), "{message}");
    }
    let (code, _) = run("print(open)").failure();
    assert_eq!(code, "script.error", "print is not among the names");
}

#[test]
fn what_grows_or_recurses_without_end_is_stopped() {
    assert_fails(
        "def f(n):\n    return f(n + 1)\nf(0)",
        "script.error",
        "stack overflow",
    );
    assert_fails(
        "x = 'x' * 100000000\nfor i in range(5000):\n    log('a')",
        "script.memory",
        "Heap memory limit",
    );
    assert_fails(
        "a = []\nfor i in range(100000000):\n    a.append('x' * 1000)",
        "script.memory",
        "Heap memory limit",
    );
    assert_fails("log('x' * 2000000)", "script.too-large", "2000");
    let (code, message) = failure("x = list(range(1000000000))");
    assert_eq!(code, "script.panic", "{message}");
}

#[test]
fn a_loop_without_end_stops_at_the_deadline() {
    let loops = "for i in range(2000000000):\n    pass";
    let begun = Instant::now();
    let script = Script::with(&run_setup(&[("main.star", loops)], 500));
    let (code, message) = script.until_it_ends(|_| Outcome::Done).failure();
    assert_eq!(code, "script.deadline", "{message}");
    assert!(message.contains("the script's time is over"), "{message}");
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn the_deadline_holds_inside_a_verb() {
    let mut script = Script::with(&run_setup(&[("main.star", "log('a')\nlog('b')")], 500));
    assert!(matches!(script.next(), FromScript::Act { number: 1, .. }));
    let (code, _) = script.until_it_ends(|_| Outcome::Done).failure();
    assert_eq!(code, "script.deadline");
}

#[test]
fn the_deadline_cannot_be_outlived_by_try_wait() {
    let source = "for i in range(1000000000):\n    try_wait(title = 'x')";
    let mut script = Script::with(&run_setup(&[("main.star", source)], 700));
    let late = Outcome::Failed {
        code: "wait.timeout".into(),
        message: "no".into(),
    };
    let mut asked = 0u32;
    let last = loop {
        match script.next() {
            FromScript::Act { number, .. } => {
                asked += 1;
                // At the deadline the program does not wait for this any more.
                let message = ToScript {
                    number,
                    outcome: late.clone(),
                };
                let _ = frame::write(&mut script.stream, &message);
            }
            last => break last,
        }
    };
    assert!(asked > 1);
    assert!(matches!(last, FromScript::Failed { code, .. } if code == "script.deadline"));
}

/// Built-ins that cannot be interrupted: the process takes a kill, and until
/// then it holds no more memory than the limit around it. It never finishes.
#[test]
fn what_the_interpreter_cannot_stop_the_outside_can() {
    for source in [
        "x = sorted(range(300000000))",
        "x = 3\nfor i in range(60):\n    x = x * x",
    ] {
        let mut script = Script::with(&run_setup(&[("main.star", source)], 300));
        let until = Instant::now() + Duration::from_secs(5);
        let mut ended = None;
        while ended.is_none() && Instant::now() < until {
            ended = script.child.try_wait().unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        match ended {
            // It was still computing: killed, and gone.
            None => {
                script.child.kill().unwrap();
                assert_eq!(script.exit().signal(), Some(9), "{source}");
            }
            // It met the limit around it or stopped itself, and did not succeed.
            Some(status) => assert_ne!(status.code(), Some(0), "{source}"),
        }
    }
}

#[test]
fn deep_nesting_never_finishes_as_if_it_were_fine() {
    for source in [
        format!("x = {}1{}", "(".repeat(200_000), ")".repeat(200_000)),
        format!("x = {}1", "not ".repeat(200_000)),
        format!("x = 1{}", " + 1".repeat(200_000)),
    ] {
        let mut script = Script::with(&run_setup(&[("main.star", &source)], 20_000));
        let _ = frame::read::<FromScript>(&mut script.stream, frame::FROM_SCRIPT);
        // Either an answer in good order or the death of the process.
        let status = script.exit();
        assert!(status.signal().is_some() || status.code().is_some());
    }
}

#[test]
fn garbage_from_the_other_side_ends_the_process() {
    let mut script = Script::start();
    script.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(script.exit().code(), Some(2));
    assert!(script.stderr().contains("code frame.malformed"));

    let mut script = Script::start();
    script.stream.write_all(&[0, 0, 0, 3, 0x83, 0x01]).unwrap();
    script.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(script.exit().code(), Some(2));

    for answer in [&b"\0\0\0\x02\xff\xff"[..], b"\xff\xff\xff\xff"] {
        let mut script = Script::with(&run_setup(&[("main.star", "log('a')")], 60_000));
        assert!(matches!(script.next(), FromScript::Act { number: 1, .. }));
        script.stream.write_all(answer).unwrap();
        assert_eq!(script.exit().code(), Some(2));
    }

    // The answer to another action is no answer.
    let mut script = Script::with(&run_setup(&[("main.star", "log('a')\nlog('b')")], 60_000));
    script.next();
    script.answer(2, Outcome::Done);
    assert_eq!(script.exit().code(), Some(2));

    // agentd goes away in the middle of an action.
    let mut script = Script::with(&run_setup(&[("main.star", "log('a')")], 60_000));
    script.next();
    script.stream.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(script.exit().code(), Some(3));

    // A well-formed request with a bundle that is none.
    let setup = ScriptSetup::Run {
        bundle: b"not a bundle".to_vec().into(),
        parameters: vec![],
        inputs: vec![],
        deadline_ms: 1000,
    };
    let (code, _) = Script::with(&setup)
        .until_it_ends(|_| Outcome::Done)
        .failure();
    assert_eq!(code, "workflow.files");
}

fn check(declaration: &str, files: &[(&str, &str)]) -> Vec<Diagnosis> {
    let bundle = codec::encode(&bundle_of(declaration, files)).into();
    let ended =
        Script::with(&ScriptSetup::Check { bundle }).until_it_ends(|_| panic!("a check acts"));
    match ended.last {
        FromScript::Checked { diagnoses } => {
            assert_eq!(ended.exit.code(), Some(i32::from(!diagnoses.is_empty())));
            diagnoses
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sound_workflow_passes_the_check() {
    let files = [
        (
            "lib/rows.star",
            "def read_row(name):\n    return read(name = name, role = \"entry\")\n",
        ),
        (
            "main.star",
            "load(\"lib/rows.star\", \"read_row\")\n\ndef main():\n    open(\"gnumeric\", \"out/a.xlsx\")\n    total = decimal(\"1.50\") + decimal(read_row(\"Total\"))\n    for name in inputs:\n        log(name + params[\"colour\"])\n    row(total = total)\n    write_file(\"out/a.xlsx\", str(total))\n\nmain()\n",
        ),
    ];
    assert_eq!(check(DECLARATION, &files), []);
}

#[test]
fn a_check_names_place_and_advice() {
    let few = DECLARATION.replace(r#""open", "close", "wait", "click""#, r#""open", "wait""#);
    for (source, line, column, says) in [
        ("x = 1\ny = x +\n", 2, 8, "Parse error"),
        (
            "x = 1\nwhile x:\n    x += 1\n",
            2,
            1,
            "use `for attempt in range(20):`",
        ),
        ("import os\n", 1, 1, "load("),
        ("log(nowhere)\n", 1, 5, "nowhere"),
        ("opne(\"gnumeric\")\n", 1, 1, "opne"),
        (
            "log(\"a\")\nclick(name = \"OK\")\n",
            2,
            1,
            "add \"click\" to grants.verbs",
        ),
        (
            "press = click\npress(name = \"OK\")\n",
            1,
            9,
            "add \"click\" to grants.verbs",
        ),
        (
            "open(\"evince\")\n",
            1,
            6,
            "add \"evince\" to grants.applications",
        ),
        (
            "write_file(\"out/b.csv\", \"x\")\n",
            1,
            12,
            "add \"b.csv\" to grants.outputs",
        ),
        (
            "template(\"blank.xlsx\", \"in/a.xlsx\")\n",
            1,
            24,
            "not under out/",
        ),
        (
            "load(\"gone.star\", \"x\")\nlog(x)\n",
            1,
            6,
            "no file of this workflow",
        ),
        (
            "wait(txet = \"Total\")\n",
            1,
            6,
            "no argument `txet`; there are name, role",
        ),
        ("close(\"gnumeric\", \"evince\")\n", 1, 19, "takes 1"),
        ("finding(\"a.pdf\")\n", 1, 1, "needs the argument `text`"),
        (
            "def f():\n    return 1\n    log(\"never\")\nf()\n",
            3,
            0,
            "nreachable",
        ),
    ] {
        let diagnoses = check(&few, &[("main.star", source)]);
        let fits = diagnoses.iter().any(|d| {
            d.file == "main.star"
                && d.line == line
                && (column == 0 || d.column == column)
                && d.message.contains(says)
        });
        assert!(fits, "{source:?}: {diagnoses:#?}");
    }
    // A name of the script's own is not the verb, whatever it is called.
    let own = "def click(x):\n    return x\n\nlog(click(\"a\"))\n";
    assert_eq!(check(&few, &[("main.star", own)]), []);
    // A file that nothing loads is judged as well.
    let unread = [("main.star", "log(\"a\")\n"), ("lib.star", "x = (\n")];
    assert_eq!(check(&few, &unread)[0].file, "lib.star");
}
