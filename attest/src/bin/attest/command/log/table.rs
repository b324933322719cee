//! A log as tables of at most 80 columns. Text of the log is shown with control characters
//! replaced, and cut where it does not fit; `--json` has all of it.

use std::io::{self, Write};

use casemate_attest::eventlog::{
    Coverage, Event, EventLog, Form, Log, NO_REGISTER, Register, UserspaceEvent, UserspaceLog,
    all_banks, bank_name, not_replayed, shown, type_name,
};

const COLUMNS: usize = 80;
/// Where an event's second line begins.
const INDENT: usize = 9;
/// The most lines of what an event says.
const LINES: usize = 4;
/// How many hexadecimal digits of an event's digest are shown.
const DIGITS: usize = 28;

pub(super) fn write(out: &mut impl Write, log: &Log<'_>, bytes: usize) -> io::Result<()> {
    head(out, log, bytes)?;
    let kind = "event, and what it says";
    writeln!(out, "\n  no pcr {kind:<33} covers digest")?;
    match log {
        Log::Firmware(log) => firmware(out, log)?,
        Log::Userspace(log) => userspace(out, log)?,
    }
    registers(out, log)?;
    out.write_all(LEGEND.as_bytes())
}

const LEGEND: &str = "
covers: what of an event the digest covers, hashed again.
  all    the whole payload      part   a part of it, such as a variable's value
  none   nothing: every word of it is unauthenticated
  same   not asked of this type, but its words give the digest
No event's type is authenticated, and no event at all until a quote vouches for
the registers.
";

fn head(out: &mut impl Write, log: &Log<'_>, bytes: usize) -> io::Result<()> {
    let form = match log {
        Log::Firmware(log) if log.form() == Form::CryptoAgile => "the TCG's crypto-agile form",
        Log::Firmware(_) => "the TCG's old SHA-1 form",
        Log::Userspace(_) => "systemd's form",
    };
    writeln!(out, "A log of {form}: {bytes} bytes, {} events", log.len())?;
    let names: Vec<_> = log
        .banks()
        .iter()
        .map(|(bank, _)| bank_name(*bank))
        .collect();
    writeln!(out, "banks: {}", names.join(" "))?;
    if let Log::Firmware(log) = log {
        let names: Vec<_> = log
            .incomplete_banks()
            .iter()
            .map(|bank| bank_name(*bank))
            .collect();
        if !names.is_empty() {
            writeln!(out, "declared, but not in every event: {}", names.join(" "))?;
        }
        if let Some(locality) = log.startup_locality() {
            writeln!(out, "startup locality: {locality}")?;
        }
    }
    Ok(())
}

/// The bank whose digests are shown: SHA-256 where the log has it.
fn shown_bank(banks: &[(u16, usize)]) -> u16 {
    let ids = || banks.iter().map(|(bank, _)| *bank);
    let sha256 = ids().find(|bank| bank_name(*bank) == "sha256");
    sha256.or_else(|| ids().next()).unwrap_or(0)
}

fn firmware(out: &mut impl Write, log: &EventLog<'_>) -> io::Result<()> {
    let bank = shown_bank(log.banks());
    for event in log.events() {
        let (kind, digest) = (type_name(event.event_type), event.digest(bank));
        let covers = covers(event);
        let digest = digest.filter(|_| event.extends());
        row(out, event.number, event.pcr, kind, covers, digest)?;
        let said = event.payload().to_string();
        if kind.starts_with("EV_") {
            what_it_says(out, &said)?;
        } else {
            what_it_says(out, &format!("type {:#010x}: {said}", event.event_type))?;
        }
    }
    Ok(())
}

fn covers(event: &Event<'_>) -> &'static str {
    match event.coverage() {
        Coverage::Whole => "all",
        Coverage::Part { .. } => "part",
        Coverage::None if event.digested().is_some() => "same",
        Coverage::None => "none",
    }
}

fn userspace(out: &mut impl Write, log: &UserspaceLog<'_>) -> io::Result<()> {
    let bank = shown_bank(log.banks());
    for event in log.events() {
        let kind = format!("systemd {}", event.event_type.as_deref().unwrap_or("event"));
        let covers = if event.measured().is_some() {
            "all"
        } else {
            "none"
        };
        let digest = event.digest(bank);
        row(out, event.number, event.pcr, &kind, covers, digest)?;
        what_it_says(out, &said(event))?;
    }
    Ok(())
}

fn said(event: &UserspaceEvent<'_>) -> String {
    let string = event.string.as_deref().unwrap_or("no words");
    match event.nv_index {
        Some(index) => format!("NV index {index:#010x}: {string}"),
        None => string.to_owned(),
    }
}

fn row(
    out: &mut impl Write,
    number: usize,
    pcr: u8,
    kind: &str,
    covers: &str,
    digest: Option<&[u8]>,
) -> io::Result<()> {
    let pcr = if pcr == NO_REGISTER {
        "-".to_owned()
    } else {
        pcr.to_string()
    };
    let digest = digest.map_or_else(
        || "extends nothing".to_owned(),
        |digest| {
            let digits = hex::encode(digest);
            format!("{}..", digits.get(..DIGITS).unwrap_or(&digits))
        },
    );
    let kind = fitted(kind, 33);
    writeln!(out, "{number:>4} {pcr:>3} {kind:<33} {covers:<6} {digest}")
}

/// What an event says, on as many lines as it takes up to [`LINES`].
fn what_it_says(out: &mut impl Write, said: &str) -> io::Result<()> {
    let columns = COLUMNS.saturating_sub(INDENT);
    let said = fitted(said, columns.saturating_mul(LINES));
    let (mut line, mut left) = (String::new(), columns);
    for c in said.chars() {
        if width(c) > left {
            writeln!(out, "{:INDENT$}{line}", "")?;
            (line, left) = (String::new(), columns);
        }
        line.push(c);
        left = left.saturating_sub(width(c));
    }
    writeln!(out, "{:INDENT$}{line}", "")
}

/// How many columns of a terminal a character may take.
fn width(c: char) -> usize {
    if u32::from(c) < 0x1100 { 1 } else { 2 }
}

/// The text in this many columns, cut with three dots, without anything that a terminal obeys.
fn fitted(text: &str, columns: usize) -> String {
    const DOTS: &str = "...";
    // One character more than fits tells that it does not.
    let text = text.chars().map(shown).take(columns.saturating_add(1));
    let text: String = text.collect();
    let whole: usize = text.chars().map(width).sum();
    if whole <= columns {
        return text;
    }
    let mut left = columns.saturating_sub(DOTS.len());
    let kept = text.chars().take_while(|c| {
        let fits = width(*c) <= left;
        left = left.saturating_sub(width(*c));
        fits
    });
    let kept: String = kept.collect();
    format!("{kept}{DOTS}")
}

fn registers(out: &mut impl Write, log: &Log<'_>) -> io::Result<()> {
    writeln!(
        out,
        "\nThe registers that it leads to:\n  bank     pcr value"
    )?;
    for register in all_banks(log) {
        value(out, &register)?;
    }
    for bank in not_replayed(log) {
        writeln!(
            out,
            "  {:<8} not replayed: this program does not compute it",
            bank_name(bank)
        )?;
    }
    Ok(())
}

fn value(out: &mut impl Write, register: &Register) -> io::Result<()> {
    const LINE: usize = 32;
    let name = bank_name(register.bank);
    for (at, line) in register.value.as_bytes().chunks(LINE).enumerate() {
        let digits = hex::encode(line);
        if at == 0 {
            writeln!(out, "  {name:<8} {:>3} {digits}", register.pcr)?;
        } else {
            writeln!(out, "{:14} {digits}", "")?;
        }
    }
    Ok(())
}
