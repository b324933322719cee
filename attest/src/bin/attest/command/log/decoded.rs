//! A decoded payload as JSON, divided into what its digest covers and what it does not.

use casemate_attest::digest::Digest;
use casemate_attest::eventlog::payload::{
    Content, DevicePath, FirmwareBlob, Gpt, HandoffTables, ImageLoad, LoadOption, NoAction,
    Payload, Platform, Signature, SignatureLists, TaggedEvents, Variable,
};
use casemate_attest::eventlog::{Coverage, Event, Guid, kind, shown};
use casemate_attest::x509::Certificate;
use serde_json::{Value, json};

/// What is decoded from covered bytes, and what from others.
pub(super) fn split(payload: &Payload<'_>, event: &Event<'_>) -> (Option<Value>, Option<Value>) {
    match (event.coverage(), payload) {
        (Coverage::None, _) => (None, Some(whole(payload, event))),
        (Coverage::Whole, _) => (Some(whole(payload, event)), None),
        (Coverage::Part { start, end }, Payload::Variable(variable)) => {
            let value = variable.data_range();
            let (name, value) = (
                name(variable),
                (start <= value.start && value.end <= end).then(|| self::value(variable, event)),
            );
            if start == 0 {
                (Some(joined(name, value)), None)
            } else {
                (value, Some(name))
            }
        }
        (Coverage::Part { .. }, _) => (None, Some(whole(payload, event))),
    }
}

/// As the member `decoded` of an object.
pub(super) fn object(decoded: Option<Value>) -> Value {
    decoded.map_or_else(|| json!({}), |decoded| json!({"decoded": decoded}))
}

fn joined(mut name: Value, value: Option<Value>) -> Value {
    if let (Value::Object(own), Some(Value::Object(more))) = (&mut name, value) {
        own.extend(more);
    }
    name
}

fn whole(payload: &Payload<'_>, event: &Event<'_>) -> Value {
    match payload {
        Payload::Separator(separator) => json!({"separator": separator.to_string()}),
        Payload::Action(text) | Payload::Text(text) => json!({"text": text.to_string()}),
        Payload::Variable(variable) => joined(name(variable), Some(value(variable, event))),
        Payload::Image(image) => self::image(image),
        Payload::Gpt(gpt) => self::gpt(gpt),
        Payload::Blob(blob) => self::blob(blob),
        Payload::Tables(tables) => self::tables(tables),
        Payload::Guid(guid) => json!({"guid": guid.to_string()}),
        Payload::Tagged(records) => tagged(records),
        Payload::Device(device) => json!({
            "device_type": device.device_type,
            "device_path": device.second.map(|second| path(&second.path)),
            "auth_state": device.second.map(|second| second.auth_state),
            "body": hex::encode(device.body),
            "context": hex::encode(device.context),
        }),
        Payload::NoAction(word) => no_action(word),
        Payload::Hcrtm => json!({"text": "HCRTM"}),
        Payload::Vendor(data) | Payload::Unknown(data) => json!({"hex": hex::encode(data)}),
        Payload::Malformed(error) => json!({"malformed": error.to_string()}),
    }
}

fn name(variable: &Variable<'_>) -> Value {
    json!({"vendor": guid(variable.vendor), "name": variable.name.to_string()})
}

fn value(variable: &Variable<'_>, event: &Event<'_>) -> Value {
    let authority = event.event_type == kind::EV_EFI_VARIABLE_AUTHORITY;
    match variable.content(authority) {
        Content::Flag(value) | Content::Other(value) => json!({"value": hex::encode(value)}),
        Content::Signatures(lists) => signatures(&lists),
        Content::Order(numbers) => {
            let numbers = numbers.iter().map(|number| format!("{number:04X}"));
            json!({"order": numbers.collect::<Vec<_>>()})
        }
        Content::LoadOption(option) => load_option(&option),
        Content::Authority(signature) => json!({"signature": self::signature(None, &signature)}),
        Content::Certificate(der) => json!({"certificate": certificate(der)}),
        Content::Sbat(text) => json!({"text": printable(text.as_bytes())}),
        Content::Malformed(error) => json!({"malformed": error.to_string()}),
    }
}

fn signatures(lists: &SignatureLists<'_>) -> Value {
    let entries = lists.entries();
    let entries: Vec<_> = entries
        .map(|(kind, entry)| signature(Some(kind), &entry))
        .collect();
    json!({"signatures": entries})
}

fn signature(kind: Option<Guid>, signature: &Signature<'_>) -> Value {
    let mut entry = json!({"owner": guid(signature.owner), "kind": kind.map(guid)});
    let data = if kind == Some(Guid::CERT_X509) || (kind.is_none() && signature.is_der()) {
        json!({"certificate": certificate(signature.data)})
    } else {
        json!({"data": hex::encode(signature.data)})
    };
    if let (Value::Object(own), Value::Object(more)) = (&mut entry, data) {
        own.extend(more);
    }
    entry
}

fn certificate(der: &[u8]) -> Value {
    let subject = Certificate::read(der).map(|own| printable(own.subject().as_bytes()));
    json!({
        "bytes": der.len(),
        "sha256": Digest::of(der).to_string(),
        "subject": subject.ok(),
    })
}

fn load_option(option: &LoadOption<'_>) -> Value {
    json!({
        "active": option.attributes & 1 == 1,
        "attributes": option.attributes,
        "description": option.description.to_string(),
        "device_path": path(&option.path),
        "optional": hex::encode(option.optional),
    })
}

fn image(image: &ImageLoad<'_>) -> Value {
    json!({
        "base": image.base,
        "length": image.length,
        "link_time": image.link_time,
        "device_path": path(&image.path),
        "file": image.path.file().map(|file| file.to_string()),
    })
}

fn gpt(gpt: &Gpt<'_>) -> Value {
    let partitions = gpt.partitions().map(|partition| {
        json!({
            "type": partition.kind.to_string(),
            "id": partition.id.to_string(),
            "first": partition.first,
            "last": partition.last,
            "attributes": partition.attributes,
            "name": partition.name.to_string(),
        })
    });
    json!({
        "disk": gpt.disk.to_string(),
        "first_usable": gpt.first_usable,
        "last_usable": gpt.last_usable,
        "partitions": partitions.collect::<Vec<_>>(),
    })
}

fn blob(blob: &FirmwareBlob<'_>) -> Value {
    let description = blob.description.map(printable);
    json!({"base": blob.base, "length": blob.length, "description": description})
}

fn tables(tables: &HandoffTables<'_>) -> Value {
    let own = tables.tables();
    let own = own.map(|(name, at)| json!({"table": guid(name), "address": at}));
    json!({
        "description": tables.description.map(printable),
        "tables": own.collect::<Vec<_>>(),
    })
}

fn tagged(records: &TaggedEvents<'_>) -> Value {
    let records = records.iter().map(|record| {
        json!({
            "tag": record.id,
            "name": record.name(),
            "text": record.to_string(),
            "data": hex::encode(record.data),
        })
    });
    json!({"tagged": records.collect::<Vec<_>>()})
}

fn no_action(word: &NoAction<'_>) -> Value {
    match word {
        NoAction::SpecId(data) => json!({"spec_id": hex::encode(data)}),
        NoAction::StartupLocality(locality) => json!({"startup_locality": locality}),
        NoAction::Platform(platform) => self::platform(platform),
        NoAction::NvInstance { version, data } => {
            json!({"nv_instance": {"version": version, "data": hex::encode(data)}})
        }
        NoAction::NvDynamic {
            version,
            uid,
            description,
            data,
        } => json!({"nv_dynamic": {
            "version": version,
            "uid": uid,
            "description": printable(description),
            "data": hex::encode(data),
        }}),
        NoAction::Vendor { signature, data } => {
            json!({"signature": printable(signature), "data": hex::encode(data)})
        }
    }
}

fn platform(platform: &Platform<'_>) -> Value {
    let names = platform.names.map(|names| {
        json!({
            "manufacturer": printable(names.manufacturer),
            "model": printable(names.model),
            "version": printable(names.version),
            "firmware_manufacturer": printable(names.firmware_manufacturer),
            "firmware_vendor": names.firmware_vendor,
            "firmware_version": printable(names.firmware_version),
        })
    });
    let locators = platform.locators.map(|locators| {
        let own = locators.iter();
        let own = own.map(|own| json!({"kind": own.kind, "place": hex::encode(own.place)}));
        own.collect::<Vec<_>>()
    });
    json!({
        "vendor": platform.vendor,
        "manifest": platform.manifest.to_string(),
        "names": names,
        "locators": locators,
    })
}

fn path(path: &DevicePath<'_>) -> String {
    path.to_string()
}

/// A GUID with its name, where it has one.
fn guid(guid: Guid) -> Value {
    json!({"guid": guid.to_string(), "name": guid.name()})
}

/// Bytes that are meant as text, without the zeros at their end.
fn printable(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.trim_end_matches('\0').chars().map(shown).collect()
}
