//! What eyes and hands promise, one desktop a case.

use std::time::{Duration, Instant};

use casemate_protocol::action::{Action, Area, Outcome, Target};
use casemate_protocol::compartment::FromHands;
use casemate_protocol::frame;

use crate::pdf;
use crate::stage::{Stage, click, element, window};

/// A case and its name.
type Case = (&'static str, fn(&mut Stage));

/// Every case.
pub(crate) const ALL: &[Case] = &[
    ("desktop_is_up_soon", desktop_is_up_soon),
    ("what_is_typed_arrives", what_is_typed_arrives),
    (
        "a_sheet_that_is_not_in_front_is_not_typed_into",
        a_sheet_that_is_not_in_front_is_not_typed_into,
    ),
    (
        "a_field_that_drops_characters_is_caught",
        a_field_that_drops_characters_is_caught,
    ),
    ("buttons_are_pressed_by_name", buttons_are_pressed_by_name),
    (
        "a_covered_button_is_not_pressed",
        a_covered_button_is_not_pressed,
    ),
    ("cells_hold_what_was_put_in", cells_hold_what_was_put_in),
    (
        "a_page_is_read_from_the_screen",
        a_page_is_read_from_the_screen,
    ),
    ("a_broken_document_says_so", a_broken_document_says_so),
    ("a_closed_program_is_gone", a_closed_program_is_gone),
    ("a_lost_desktop_is_said", a_lost_desktop_is_said),
];

fn desktop_is_up_soon(stage: &mut Stage) {
    let (up, connected) = stage.took;
    println!("     desktop ready after {up:.0?}, hands connected after {connected:.0?}");
    assert!(up < Duration::from_secs(10), "{up:?}");
    let (outcome, _) = stage.act(Action::Screenshot {
        label: "empty".into(),
    });
    assert_eq!(outcome, Outcome::Done);
}

fn what_is_typed_arrives(stage: &mut Stage) {
    stage.open("mousepad", &[]);
    stage.wait(window("Mousepad"));
    stage.wait(element("File", "menu"));
    let text = "Grüße aus Köln: ß € „quoted“\n\tsecond line 00411 ÄÖÜ\n";
    stage.type_text(text);
    // More characters than the key map has room for at once.
    let many: String = ('\u{391}'..='\u{3c9}')
        .chain('\u{410}'..='\u{44f}')
        .chain('\u{e0}'..='\u{ff}')
        .filter(|c| c.is_alphabetic())
        .collect();
    assert!(many.chars().count() > 150);
    stage.type_text(&many);
    // What the program holds, and not only what it showed: through its clipboard.
    stage.keys(&["ctrl+Home", "shift+End", "ctrl+c", "ctrl+End", "ctrl+v"]);
    let message = stage.fails(
        "desktop.invalid",
        Action::Type {
            text: "\u{7}".into(),
            into: None,
        },
    );
    assert!(message.contains("U+0007"), "{message}");
    stage.fails(
        "desktop.invalid",
        Action::Keys {
            chords: vec!["ctrl+nokey".into()],
        },
    );
}

fn a_sheet_that_is_not_in_front_is_not_typed_into(stage: &mut Stage) {
    stage.open("gnumeric", &[]);
    stage.wait(window("Gnumeric"));
    stage.done(Action::SetCell {
        cell: "A1".into(),
        text: "before".into(),
    });
    // Beyond the sheet it would become a name for the cell.
    stage.fails(
        "desktop.invalid",
        Action::GetCell {
            cell: "ZZZ9999999".into(),
        },
    );
    // A window of another program in front: no sheet, nothing typed anywhere.
    stage.open("galculator", &[]);
    stage.wait(element("7", "toggle button"));
    stage.fails(
        "desktop.sheet",
        Action::SetCell {
            cell: "A1".into(),
            text: "7".into(),
        },
    );
    assert_eq!(shown(stage), "0");
    stage.close("galculator");
    let outcome = stage.act(Action::GetCell { cell: "A1".into() }).0;
    assert_eq!(outcome, Outcome::Text("before".into()));
}

fn a_field_that_drops_characters_is_caught(stage: &mut Stage) {
    stage.open("mousepad", &[]);
    stage.wait(window("Mousepad"));
    stage.type_text("one\ntwo\n");
    stage.keys(&["ctrl+l"]);
    stage.wait(element("Go To", "dialog"));
    // A spin button takes digits and drops the rest without a word.
    let action = Action::Type {
        text: "2ab".into(),
        into: None,
    };
    let message = stage.fails("desktop.readback", action);
    assert!(message.contains("2ab"), "{message}");
}

fn buttons_are_pressed_by_name(stage: &mut Stage) {
    stage.open("galculator", &[]);
    stage.wait(window("galculator"));
    for name in ["7", "8", "+", "9", "="] {
        stage.click(element(name, "toggle button"));
    }
    stage.wait(Target::Text {
        text: "87".into(),
        within: Some(Area {
            x: 0,
            y: 20,
            w: 1920,
            h: 80,
        }),
    });
    stage.fails(
        "desktop.not-found",
        click(element("no such button", "push button")),
    );
    stage.fails("desktop.unstable", click(element("MR", "toggle button")));
    stage.fails(
        "desktop.timeout",
        Action::Wait {
            target: window("no such window"),
            timeout_ms: 50,
            gone: false,
        },
    );
    stage.done(Action::Wait {
        target: window("no such window"),
        timeout_ms: 50,
        gone: true,
    });
    stage.fails(
        "desktop.invalid",
        Action::ReadScreen {
            within: Some(Area {
                x: 5000,
                y: 0,
                w: 10,
                h: 10,
            }),
        },
    );
}

/// What the calculator shows, read from its accessible text.
fn shown(stage: &mut Stage) -> String {
    let (role, window) = (Some("text".into()), Some("galculator".into()));
    stage.read(Target::Element {
        name: String::new(),
        role,
        window,
    })
}

fn a_covered_button_is_not_pressed(stage: &mut Stage) {
    stage.open("galculator", &[]);
    stage.wait(element("7", "toggle button"));
    stage.click(element("7", "toggle button"));
    stage.open("mousepad", &[]);
    stage.wait(window("Mousepad"));
    stage.wait(element("Document", "menu"));
    let message = stage.fails("desktop.unstable", click(element("7", "toggle button")));
    assert!(message.contains("covered"), "{message}");
    stage.close("mousepad");
    stage.click(element("7", "toggle button"));
    stage.wait(Target::Text {
        text: "77".into(),
        within: Some(Area {
            x: 0,
            y: 20,
            w: 1920,
            h: 80,
        }),
    });
}

fn cells_hold_what_was_put_in(stage: &mut Stage) {
    let blank = std::fs::read("/packs/desktop/usr/share/casemate/blank.xlsx").unwrap();
    stage
        .workspace
        .put_output("out/sheet.xlsx", &blank)
        .unwrap();
    stage.open("gnumeric", &["/workspace/out/sheet.xlsx"]);
    stage.wait(window("sheet.xlsx"));
    let cells = [
        ("A1", "Supplier"),
        ("B2", "00411"),
        ("C3", "8413.35"),
        ("D4", "100.00"),
        ("E5", "2026-11-24"),
        ("F6", "=1+1"),
        // Would be completed to the cell above it.
        ("A2", "Supp"),
        ("A7", "Bürobedarf Größe €5"),
        ("A8", "TRUE"),
        ("A9", "'quoted"),
        ("A10", "-0.10"),
    ];
    let started = Instant::now();
    for (cell, text) in cells {
        stage.done(Action::SetCell {
            cell: cell.into(),
            text: text.into(),
        });
    }
    println!(
        "     {:.0?} a cell",
        started.elapsed() / u32::try_from(cells.len()).unwrap()
    );
    for (cell, text) in cells {
        let shown = match text {
            "100.00" => "100",
            "-0.10" => "-0.1",
            other => other,
        };
        // An apostrophe of the text itself is the one that is dropped.
        let shown = shown.strip_prefix('\'').map_or(shown, |_| "'quoted");
        let outcome = stage.act(Action::GetCell { cell: cell.into() }).0;
        assert_eq!(outcome, Outcome::Text(shown.to_owned()), "{cell}");
    }
    stage.fails(
        "desktop.invalid",
        Action::SetCell {
            cell: "A0".into(),
            text: "x".into(),
        },
    );
    stage.fails(
        "desktop.invalid",
        Action::SetCell {
            cell: "A1".into(),
            text: "a\nb".into(),
        },
    );
    stage.keys(&["ctrl+s"]);
    let saved = stage.workspace.work().join("out/sheet.xlsx");
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::fs::read(&saved).is_ok_and(|bytes| bytes == blank) {
        assert!(Instant::now() < deadline, "the sheet was not saved");
        std::thread::yield_now();
    }
}

fn a_page_is_read_from_the_screen(stage: &mut Stage) {
    let (document, truth) = pdf::page(7);
    stage.put("page.pdf", &document);
    stage.open("evince", &["/workspace/in/page.pdf"]);
    stage.wait(window("page.pdf"));
    stage.keys(&["F11", "f"]);
    stage.wait(Target::Text {
        text: "Invoice number".into(),
        within: None,
    });
    let read = |stage: &mut Stage| {
        let started = Instant::now();
        match stage.act(Action::ReadScreen { within: None }).0 {
            Outcome::Lines(lines) => (lines, started.elapsed()),
            other => panic!("{other:?}"),
        }
    };
    // The page may still have been moving when the text was found.
    let deadline = Instant::now() + Duration::from_secs(60);
    let lines = loop {
        let (before, _) = read(stage);
        let (lines, again) = read(stage);
        if before == lines {
            println!("     {} lines, read again in {again:.1?}", lines.len());
            break lines;
        }
        assert!(Instant::now() < deadline, "the page does not come to rest");
    };
    let squeeze = |text: &str| text.replace(char::is_whitespace, "");
    let seen: Vec<String> = lines.iter().map(|line| squeeze(&line.text)).collect();
    let missing: Vec<&String> = truth
        .iter()
        .filter(|text| !seen.contains(&squeeze(text)))
        .collect();
    // Every number exactly; of the words a slip in one line of the page.
    let is_number =
        |text: &&&String| text.chars().any(|c| c.is_ascii_digit()) && !text.contains(' ');
    assert!(
        !missing.iter().any(|text| is_number(&text)),
        "{missing:?} in {seen:?}"
    );
    assert!(missing.len() <= 1, "{missing:?} in {seen:?}");
    // Reading order: the rows of the table one after another.
    let place = |row: u8| {
        seen.iter()
            .position(|text| *text == format!("{row:02}"))
            .unwrap()
    };
    assert!((1..14).all(|row| place(row) < place(row + 1)), "{seen:?}");
    // Unchanged pixels cost a comparison.
    let quickest = (0..5).map(|_| read(stage).1).min().unwrap();
    assert!(quickest < Duration::from_millis(500), "{quickest:?}");
}

fn a_broken_document_says_so(stage: &mut Stage) {
    stage.put("broken.pdf", b"this is not a PDF");
    stage.open("evince", &["/workspace/in/broken.pdf"]);
    let label = |name: &str| Target::Element {
        name: name.into(),
        role: None,
        window: None,
    };
    stage.wait(label(
        "Unable to open document “file:///workspace/in/broken.pdf”.",
    ));
}

fn a_closed_program_is_gone(stage: &mut Stage) {
    stage.open("mousepad", &[]);
    stage.wait(window("Mousepad"));
    stage.type_text("unsaved");
    stage.close("mousepad");
    stage.done(Action::Wait {
        target: window("Mousepad"),
        timeout_ms: 10_000,
        gone: true,
    });
    // Closing what is closed is no error; it can be opened again.
    stage.close("mousepad");
    stage.open("mousepad", &[]);
    stage.wait(window("Mousepad"));
}

fn a_lost_desktop_is_said(stage: &mut Stage) {
    stage.wait_sent_then_kill();
    let answer: FromHands = frame::read(&mut stage.hands, frame::FROM_HANDS).unwrap();
    match answer {
        FromHands::Broken { code, .. } => assert_eq!(code, "desktop.lost"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        frame::read::<FromHands>(&mut stage.hands, frame::FROM_HANDS),
        Err(frame::ReadError::Closed)
    ));
}
