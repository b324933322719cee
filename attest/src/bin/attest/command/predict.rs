//! `attest predict`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_attest::eventlog::type_name;
use casemate_attest::predict::pcr7::Databases;
use casemate_attest::predict::pcr11::Stub;
use casemate_attest::predict::{PeImage, PredictError, pcr4, pcr7, pcr11, pcr12};
use casemate_attest::release::{ExpectedEvent, Reference, Rule};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::file;

/// The largest image: an EFI system partition of ours holds no larger one.
const MAX_IMAGE: usize = 512 << 20;
/// The largest key database; firmware holds far smaller ones.
const MAX_DATABASE: usize = 1 << 20;
const SHA256: u16 = 0x000b;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Predict {
    /// The unified kernel image, signed
    #[arg(long, value_name = "FILE")]
    uki: PathBuf,
    /// An image that the firmware loads before it; may be given several times,
    /// in their order
    #[arg(long, value_name = "FILE")]
    loader: Vec<PathBuf>,
    /// A folder with PK.esl, KEK.esl, db.esl and dbx.esl: what the variables of
    /// Secure Boot hold (EFI signature lists). Without it register 7 is left out
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Whose stub is in the image
    #[arg(long, value_name = "VERSION", default_value = "257")]
    stub: KnownStub,
    /// The stub lets the firmware measure the kernel inside the image (systemd
    /// 252 and later do not)
    #[arg(long)]
    inner_kernel: bool,
    /// A kernel command line that the firmware hands over
    #[arg(long, value_name = "TEXT")]
    command_line: Option<String>,
    /// Write the registers as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KnownStub {
    #[value(name = "252")]
    V252,
    #[value(name = "257")]
    V257,
}

const AFTER_HELP: &str = "\
Registers 0 to 3, 5 and 6 belong to the platform and are not predicted. Exit
codes: 0 predicted, 2 a file is malformed or missing.";

impl Predict {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let bytes = file::read(&self.uki, MAX_IMAGE)?;
        let references = self.references(&bytes)?;
        let text = if self.json {
            let registers: Vec<Value> = references.iter().map(register).collect();
            format!("{:#}\n", json!({ "registers": registers }))
        } else {
            references.iter().map(lines).collect()
        };
        file::say(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn references(&self, bytes: &[u8]) -> Result<Vec<Reference>, Failure> {
        let failed = |path: &Path, error: PredictError| {
            let what = format!("cannot predict from {}", path.display());
            Failure::new(Exit::Malformed, error.code(), what, error)
        };
        let read = |path: &Path, error: PredictError| failed(path, error);
        let uki = PeImage::read(bytes).map_err(|error| read(&self.uki, error.into()))?;
        let of_uki = |error: PredictError| failed(&self.uki, error);
        let stub = match self.stub {
            KnownStub::V252 => Stub::V252,
            KnownStub::V257 => Stub::V257,
        };
        let mut references = vec![reference(4, self.started(&uki)?)];
        if let Some(folder) = &self.keys {
            let databases = databases(folder)?;
            let events = pcr7::predict(&databases, &uki);
            references.push(reference(7, events.map_err(|error| failed(folder, error))?));
        }
        let mut measured = reference(11, pcr11::predict(&uki, stub).map_err(of_uki)?);
        measured.tail = pcr11::phases();
        references.push(measured);
        let command_line = self.command_line.as_deref();
        references.push(reference(12, pcr12::predict(command_line)));
        references.push(reference(13, Vec::new()));
        Ok(references)
    }

    /// What the firmware loads, in order.
    fn started(&self, uki: &PeImage<'_>) -> Result<Vec<ExpectedEvent>, Failure> {
        let failed = |path: &Path, error: PredictError| {
            let what = format!("cannot predict from {}", path.display());
            Failure::new(Exit::Malformed, error.code(), what, error)
        };
        let mut loaders = Vec::new();
        for path in &self.loader {
            loaders.push((path, file::read(path, MAX_IMAGE)?));
        }
        let mut images = Vec::new();
        for (path, bytes) in &loaders {
            let image = PeImage::read(bytes).map_err(|error| failed(path, error.into()))?;
            images.push(("loader", image));
        }
        let mut named: Vec<(&str, &PeImage<'_>)> = Vec::new();
        named.extend(images.iter().map(|(name, image)| (*name, image)));
        named.push(("UKI", uki));
        let mut events = pcr4::predict(&named);
        if self.inner_kernel {
            let inner = pcr4::inner_kernel(uki);
            events.push(inner.map_err(|error| failed(&self.uki, error))?);
        }
        Ok(events)
    }
}

fn databases(folder: &Path) -> Result<Databases, Failure> {
    let list = |name: &str| file::read(&folder.join(format!("{name}.esl")), MAX_DATABASE);
    Ok(Databases {
        pk: list("PK")?,
        kek: list("KEK")?,
        db: list("db")?,
        dbx: list("dbx")?,
    })
}

fn reference(pcr: u8, events: Vec<ExpectedEvent>) -> Reference {
    Reference {
        pcr,
        bank: SHA256,
        rule: Rule::Events,
        events,
        tail: Vec::new(),
    }
}

fn lines(reference: &Reference) -> String {
    let mut text = format!("PCR {:<2}  {}\n", reference.pcr, reference.value());
    let mut line = |mark: &str, event: &ExpectedEvent| {
        let digests: Vec<String> = event.digests.iter().map(ToString::to_string).collect();
        let kind = type_name(event.event_type);
        let digests = digests.join(" or ");
        let _ = writeln!(text, "  {mark} {digests}  {kind}: {}", event.name);
    };
    reference.events.iter().for_each(|event| line(" ", event));
    reference.tail.iter().for_each(|event| line("+", event));
    text
}

fn register(reference: &Reference) -> Value {
    let events = |events: &[ExpectedEvent]| -> Vec<Value> {
        let shown = |event: &ExpectedEvent| {
            let digests: Vec<String> = event.digests.iter().map(ToString::to_string).collect();
            json!({
                "name": event.name,
                "type": type_name(event.event_type),
                "event_type": event.event_type,
                "sha256": digests,
            })
        };
        events.iter().map(shown).collect()
    };
    json!({
        "pcr": reference.pcr,
        "value": reference.value().to_string(),
        "events": events(&reference.events),
        "tail": events(&reference.tail),
    })
}
