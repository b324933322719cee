//! The page's tables of registers and events.

use super::markup::Markup;
use crate::eventlog::{Coverage, Event, Log, UserspaceEvent, type_name};
use crate::evidence::Evidence;
use crate::messages::{Language, Phrase, page};
use crate::verdict::{Outcome, Subject, Verdict};

/// So many events are listed; a page is for people.
const MOST_EVENTS: usize = 1000;
/// So many letters of an event's words.
const MOST_LETTERS: usize = 200;

pub(super) fn registers(
    out: &mut Markup,
    verdict: &Verdict,
    evidence: &Evidence,
    language: Language,
) {
    let Some(quote) = evidence.quotes().first() else {
        return;
    };
    let signed = if holds(verdict, Subject::Quote) {
        page::registers_signed()
    } else {
        page::registers_claimed()
    };
    heading(out, &page::registers(), language);
    paragraph(out, &signed, language);
    out.raw("<table><thead><tr>");
    for column in [
        page::column_register(),
        page::column_meaning(),
        page::column_value(),
    ] {
        out.raw("<th>").text(&column.text(language)).raw("</th>");
    }
    out.raw("</tr></thead><tbody>");
    for value in &quote.pcrs {
        out.raw("<tr><td class=\"number\">").number(value.pcr);
        out.raw("</td><td class=\"meaning\">");
        out.text(&meaning(value.pcr).text(language))
            .raw("</td><td>");
        out.digest(&value.value.to_string()).raw("</td></tr>");
    }
    out.raw("</tbody></table>");
}

fn meaning(pcr: u8) -> Phrase {
    match pcr {
        0 => page::pcr_0(),
        1 => page::pcr_1(),
        2 => page::pcr_2(),
        3 => page::pcr_3(),
        4 => page::pcr_4(),
        5 => page::pcr_5(),
        6 => page::pcr_6(),
        7 => page::pcr_7(),
        11 => page::pcr_11(),
        12 => page::pcr_12(),
        13 => page::pcr_13(),
        15 => page::pcr_15(),
        _ => page::pcr_other(),
    }
}

/// One event, read for the page.
struct Row {
    log: Phrase,
    number: usize,
    pcr: u8,
    kind: String,
    words: String,
    coverage: Coverage,
}

pub(super) fn events(out: &mut Markup, verdict: &Verdict, evidence: &Evidence, language: Language) {
    let body = evidence.body();
    let logs = [
        (page::log_firmware(), &body.firmware_log),
        (page::log_runtime(), &body.runtime_log),
    ];
    let mut rows = Vec::new();
    heading(out, &page::events(), language);
    for (name, bytes) in logs {
        match Log::parse(bytes) {
            Ok(log) => rows.extend(read(&name, &log)),
            Err(_) => {
                let unreadable = page::events_unreadable(&name.text(language));
                paragraph(out, &unreadable, language);
            }
        }
    }
    let vouched = holds(verdict, Subject::EventLogs);
    let said = if vouched {
        page::events_vouched(rows.len())
    } else {
        page::events_claimed(rows.len())
    };
    paragraph(out, &said, language);
    out.raw("<table><thead><tr>");
    for column in [
        page::column_register(),
        page::column_event(),
        page::column_words(),
    ] {
        out.raw("<th>").text(&column.text(language)).raw("</th>");
    }
    out.raw("<th></th></tr></thead><tbody>");
    for row in rows.iter().take(MOST_EVENTS) {
        event(out, row, vouched, language);
    }
    out.raw("</tbody></table>");
    let more = rows.len().saturating_sub(MOST_EVENTS);
    if more > 0 {
        paragraph(out, &page::events_more(more), language);
    }
}

fn event(out: &mut Markup, row: &Row, vouched: bool, language: Language) {
    out.raw("<tr><td class=\"number\">").number(row.pcr);
    out.raw("</td><td class=\"kind\">")
        .text(&row.log.text(language));
    let number = u64::try_from(row.number).unwrap_or(u64::MAX);
    out.raw(" ")
        .number(number)
        .raw("<br><code>")
        .text(&row.kind);
    out.raw("</code></td>");
    let coverage = if vouched {
        row.coverage
    } else {
        Coverage::None
    };
    let (class, said) = match coverage {
        Coverage::Whole => ("<td class=\"words\">", page::covered_whole()),
        Coverage::Part { .. } => ("<td class=\"words\">", page::covered_part()),
        Coverage::None => ("<td class=\"words claimed\">", page::covered_none()),
    };
    let mut words: String = row.words.chars().take(MOST_LETTERS).collect();
    if words.len() < row.words.len() {
        words.push('…');
    }
    out.raw(class).text(&words).raw("</td><td class=\"cover\">");
    out.text(&said.text(language)).raw("</td></tr>");
}

fn read(name: &Phrase, log: &Log<'_>) -> Vec<Row> {
    match log {
        Log::Firmware(log) => {
            let extending = log.events().iter().filter(|event| event.extends());
            extending.map(|event| firmware_row(name, event)).collect()
        }
        Log::Userspace(log) => {
            let extending = log.events().iter().filter(|event| event.extends());
            extending.map(|event| userspace_row(name, event)).collect()
        }
    }
}

fn firmware_row(name: &Phrase, event: &Event<'_>) -> Row {
    let coverage = match event.digested() {
        Some(range) if range == (0..event.data.len()) => Coverage::Whole,
        Some(range) => Coverage::Part {
            start: range.start,
            end: range.end,
        },
        None => Coverage::None,
    };
    Row {
        log: name.clone(),
        number: event.number,
        pcr: event.pcr,
        kind: type_name(event.event_type).to_owned(),
        words: event.payload().to_string(),
        coverage,
    }
}

fn userspace_row(name: &Phrase, event: &UserspaceEvent<'_>) -> Row {
    Row {
        log: name.clone(),
        number: event.number,
        pcr: event.pcr,
        kind: event.event_type.as_deref().unwrap_or_default().to_owned(),
        words: event.string.as_deref().unwrap_or_default().to_owned(),
        coverage: event.coverage,
    }
}

/// Whether a subject was judged and nothing of it failed.
fn holds(verdict: &Verdict, subject: Subject) -> bool {
    let checks = verdict.checks().iter();
    let mut checks = checks.filter(|check| check.subject == subject).peekable();
    checks.peek().is_some()
        && checks.all(|check| matches!(check.outcome, Outcome::Pass | Outcome::Note))
}

pub(super) fn heading(out: &mut Markup, phrase: &Phrase, language: Language) {
    out.raw("<h2>").text(&phrase.text(language)).raw("</h2>");
}

pub(super) fn paragraph(out: &mut Markup, phrase: &Phrase, language: Language) {
    out.raw("<p>").text(&phrase.text(language)).raw("</p>");
}
