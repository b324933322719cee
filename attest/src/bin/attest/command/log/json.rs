//! A log as JSON, an event at a time, so that a large log is never held twice. Each event's
//! parts stand under `authenticated`, what a quote of the registers would vouch for, or under
//! `unauthenticated`, what the log only says.

use std::io::{self, Write};
use std::ops::Range;

use casemate_attest::eventlog::{
    Coverage, Event, EventLog, Form, Log, LogError, NO_REGISTER, UserspaceEvent, all_banks,
    bank_name, not_replayed, shown, type_name,
};
use serde_json::{Map, Value, json};

use super::decoded;

/// The most characters of an event's description; what it says is whole under `decoded`.
const LINE: usize = 1000;

pub(super) fn write(out: &mut impl Write, log: &Log<'_>, bytes: usize) -> io::Result<()> {
    write!(out, "{{\"log\":{},\n\"events\":[", head(log, bytes))?;
    let mut between = "\n";
    let mut event = |value: Value| {
        let written = write!(out, "{between}{value}");
        between = ",\n";
        written
    };
    match log {
        Log::Firmware(log) => log
            .events()
            .iter()
            .try_for_each(|own| event(firmware(own)))?,
        Log::Userspace(log) => log
            .events()
            .iter()
            .try_for_each(|own| event(userspace(own)))?,
    }
    writeln!(out, "\n],\n\"registers\":{}}}", registers(log))
}

pub(super) fn write_error(out: &mut impl Write, error: &LogError) -> io::Result<()> {
    let said: String = error.to_string().chars().map(shown).collect();
    let malformed = json!({
        "malformed": {
            "code": error.code().id,
            "offset": error.offset(),
            "reason": said,
        },
    });
    writeln!(out, "{malformed}")
}

fn head(log: &Log<'_>, bytes: usize) -> Value {
    let banks: Vec<_> = log
        .banks()
        .iter()
        .map(|(bank, _)| bank_name(*bank))
        .collect();
    let unreplayed: Vec<_> = not_replayed(log).into_iter().map(bank_name).collect();
    let mut head = json!({
        "bytes": bytes,
        "banks": banks,
        "banks_not_replayed": unreplayed,
    });
    let more = match log {
        Log::Firmware(log) => firmware_head(log),
        Log::Userspace(_) => json!({"form": "systemd"}),
    };
    merge(&mut head, more);
    head
}

fn firmware_head(log: &EventLog<'_>) -> Value {
    let form = match log.form() {
        Form::CryptoAgile => "crypto-agile",
        Form::Sha1 => "sha1",
    };
    let incomplete: Vec<_> = log
        .incomplete_banks()
        .iter()
        .map(|bank| bank_name(*bank))
        .collect();
    let header = log.spec_id().map(|spec| {
        let [minor, major, errata] = spec.version;
        json!({
            "length": spec.len,
            "unauthenticated": {
                "signature": spec.signature,
                "platform_class": spec.platform_class,
                "version": format!("{major}.{minor}.{errata}"),
                "integer_size": spec.integers,
                "vendor": hex::encode(spec.vendor),
            },
        })
    });
    json!({
        "form": form,
        "banks_incomplete": incomplete,
        "startup_locality": log.startup_locality(),
        "header": header,
    })
}

fn firmware(event: &Event<'_>) -> Value {
    let digests: Map<String, Value> = event
        .digests
        .iter()
        .map(|(bank, digest)| (bank_name(*bank).to_owned(), hex::encode(digest).into()))
        .collect();
    let len = event.data.len();
    let covered = event.coverage().range(len);
    let payload = event.payload();
    let (proven, claimed) = decoded::split(&payload, event);
    let said: String = payload.to_string().chars().map(shown).take(LINE).collect();
    let mut authenticated = json!({"payload": parts(event.data, std::slice::from_ref(&covered))});
    let mut unauthenticated = json!({
        "type": type_name(event.event_type),
        "type_number": event.event_type,
        "payload": parts(event.data, &[0..covered.start, covered.end..len]),
    });
    let extended = json!({"pcr": register(event.pcr), "digests": digests});
    if event.extends() {
        merge(&mut authenticated, extended);
    } else {
        merge(&mut unauthenticated, extended);
    }
    merge(&mut authenticated, decoded::object(proven));
    merge(&mut unauthenticated, decoded::object(claimed));
    // Bytes that nothing asks to be digested, and are all the same.
    let digested = event
        .digested()
        .filter(|_| event.coverage() == Coverage::None);
    json!({
        "number": event.number,
        "offset": event.offset,
        "length": event.len(),
        "payload_offset": event.data_offset(),
        "extends": event.extends(),
        "covers": covers(event.coverage()),
        "digest_matches": digested.map(|range| json!({"from": range.start, "to": range.end})),
        "description": said,
        "authenticated": authenticated,
        "unauthenticated": unauthenticated,
    })
}

fn register(pcr: u8) -> Value {
    if pcr == NO_REGISTER {
        Value::Null
    } else {
        pcr.into()
    }
}

const fn covers(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Whole => "all",
        Coverage::Part { .. } => "part",
        Coverage::None => "none",
    }
}

fn parts(data: &[u8], ranges: &[Range<usize>]) -> Value {
    let part = |range: &Range<usize>| {
        let bytes = data.get(range.clone())?;
        (!bytes.is_empty())
            .then(|| json!({"from": range.start, "to": range.end, "hex": hex::encode(bytes)}))
    };
    ranges.iter().filter_map(part).collect()
}

fn userspace(event: &UserspaceEvent<'_>) -> Value {
    let digests: Map<String, Value> = event
        .digests
        .iter()
        .map(|(bank, digest)| {
            (
                bank_name(*bank).to_owned(),
                hex::encode(digest.as_bytes()).into(),
            )
        })
        .collect();
    let printable = |text: &str| -> String { text.chars().map(shown).collect() };
    let string = json!({"string": event.string.as_deref().map(printable)});
    let mut authenticated = json!({});
    let mut unauthenticated = json!({
        "type": event.event_type.as_deref().map(printable),
        "boot_id": event.boot_id.as_deref().map(printable),
        "timestamp": event.timestamp,
    });
    let extended = json!({"pcr": register(event.pcr), "digests": digests});
    if event.extends() {
        merge(&mut authenticated, extended);
    } else {
        merge(&mut unauthenticated, extended);
        merge(&mut unauthenticated, json!({"nv_index": event.nv_index}));
    }
    if event.extends() && event.measured().is_some() {
        merge(&mut authenticated, string);
    } else {
        merge(&mut unauthenticated, string);
    }
    json!({
        "number": event.number,
        "offset": event.offset,
        "length": event.len,
        "extends": event.extends(),
        "covers": covers(event.coverage),
        "authenticated": authenticated,
        "unauthenticated": unauthenticated,
    })
}

fn registers(log: &Log<'_>) -> Value {
    let mut banks: Map<String, Value> = Map::new();
    for register in all_banks(log) {
        let bank = banks
            .entry(bank_name(register.bank))
            .or_insert_with(|| json!({}));
        let value = hex::encode(register.value.as_bytes());
        merge(bank, json!({register.pcr.to_string(): value}));
    }
    banks.into()
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(own), Value::Object(more)) = (object, more) {
        own.extend(more);
    }
}
