//! One line for each payload, for tables and messages. Of outside origin, and shown so.

use std::fmt::{self, Write as _};

use super::super::guid::Guid;
use super::super::text::{Text, shown};
use super::{Content, NoAction, Payload, Separator, Signature, SignatureLists, Tagged, Variable};
use crate::x509::Certificate;

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separator(separator) => write!(f, "{separator}"),
            Self::Action(text) | Self::Text(text) => write!(f, "{text}"),
            Self::Variable(variable) => write!(f, "{variable}"),
            Self::Image(image) => write!(f, "{}", image.path),
            Self::Gpt(gpt) => {
                write!(
                    f,
                    "disk {}, {}",
                    gpt.disk,
                    Counted(gpt.partitions().count(), "partition")
                )
            }
            Self::Blob(blob) => {
                if let Some(description) = blob.description {
                    bytes(f, description)?;
                    f.write_str(" ")?;
                }
                write!(f, "{:#x} bytes at {:#x}", blob.length, blob.base)
            }
            Self::Tables(tables) => {
                if let Some(description) = tables.description {
                    bytes(f, description)?;
                    f.write_str(" ")?;
                }
                write!(f, "{}", Counted(tables.tables().count(), "table"))
            }
            Self::Guid(guid) => write!(f, "{guid}"),
            Self::Tagged(records) => {
                let mut between = "";
                records.iter().try_for_each(|record| {
                    write!(f, "{between}{record}")?;
                    between = ", ";
                    Ok(())
                })
            }
            Self::Device(device) => match device.second {
                Some(second) => write!(f, "device {}", second.path),
                None => write!(f, "a device's measurement, {} bytes", device.body.len()),
            },
            Self::NoAction(word) => write!(f, "{word}"),
            Self::Hcrtm => f.write_str("HCRTM"),
            Self::Vendor(data) | Self::Unknown(data) => hexadecimal(f, data),
            Self::Malformed(error) => write!(f, "malformed {error}"),
        }
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "00000000",
            Self::Ones => "ffffffff",
            Self::Error => "an error while measuring",
        })
    }
}

impl fmt::Display for Variable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        match self.vendor.name() {
            Some(_) => {}
            None => write!(f, " of {}", self.vendor)?,
        }
        // Whether it is one entry or lists of them is the event's type to say; both are tried.
        match self.content(false) {
            Content::Malformed(_) => write!(f, " {}", self.content(true)),
            content => write!(f, " {content}"),
        }
    }
}

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(value) => hexadecimal(f, value),
            Self::Signatures(lists) => write!(f, "{lists}"),
            Self::Order(numbers) => {
                let mut between = "";
                numbers.iter().try_for_each(|number| {
                    write!(f, "{between}{number:04X}")?;
                    between = ",";
                    Ok(())
                })
            }
            Self::LoadOption(option) => write!(f, "{:?} {}", option.description, option.path),
            Self::Authority(signature) => write!(f, "{signature}"),
            Self::Certificate(der) => certificate(f, der),
            Self::Sbat(text) => write!(f, "{}", Text::Utf8(text)),
            Self::Other(data) => hexadecimal(f, data),
            Self::Malformed(error) => write!(f, "malformed {error}"),
        }
    }
}

impl fmt::Display for SignatureLists<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates = self.certificates().count();
        let digests = self.image_digests().count();
        let others = self
            .entries()
            .count()
            .saturating_sub(certificates)
            .saturating_sub(digests);
        if (certificates, digests, others) == (0, 0, 0) {
            return f.write_str("empty");
        }
        let mut between = "";
        let counted = [
            (certificates, "certificate"),
            (digests, "image digest"),
            (others, "other"),
        ];
        for (count, what) in counted.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{between}{}", Counted(count, what))?;
            between = ", ";
        }
        // A database has a handful of certificates; all of them are in the log's JSON.
        let subjects = self.certificates().filter_map(|entry| subject(entry.data));
        subjects.take(4).try_for_each(|subject| {
            f.write_str("; ")?;
            subject.chars().try_for_each(|c| f.write_char(shown(c)))
        })
    }
}

/// The subject of a certificate, as it names itself. `None` when it cannot be read.
fn subject(der: &[u8]) -> Option<String> {
    Certificate::read(der).ok().map(|own| own.subject())
}

fn certificate(f: &mut fmt::Formatter<'_>, der: &[u8]) -> fmt::Result {
    match subject(der) {
        Some(subject) => {
            f.write_str("certificate ")?;
            subject.chars().try_for_each(|c| f.write_char(shown(c)))
        }
        None => write!(f, "certificate of {} bytes", der.len()),
    }
}

/// A number of things: one certificate, two certificates.
struct Counted(usize, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, what) = self;
        write!(f, "{count} {what}{}", if *count == 1 { "" } else { "s" })
    }
}

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_der() {
            certificate(f, self.data)?;
        } else {
            hexadecimal(f, self.data)?;
        }
        write!(f, " by {}", Named(self.owner))
    }
}

/// A GUID by its name, if it has one.
struct Named(Guid);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Tagged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}: ")?,
            None => write!(f, "tag {:#010x}: ", self.id)?,
        }
        match Text::guess(self.data).filter(|text| !text.is_empty()) {
            Some(text) => write!(f, "{text}"),
            None => hexadecimal(f, self.data),
        }
    }
}

impl fmt::Display for NoAction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpecId(_) => f.write_str("a Spec ID"),
            Self::StartupLocality(locality) => write!(f, "StartupLocality {locality}"),
            Self::Platform(platform) => {
                write!(f, "reference manifest {}", platform.manifest)?;
                if let Some(names) = platform.names {
                    f.write_str(" ")?;
                    bytes(f, names.model)?;
                }
                Ok(())
            }
            Self::NvInstance { data, .. } => write!(f, "NvIndexInstance, {} bytes", data.len()),
            Self::NvDynamic {
                uid, description, ..
            } => {
                write!(f, "NvIndexDynamic {uid} ")?;
                bytes(f, description)
            }
            Self::Vendor { signature, data } => {
                bytes(f, signature)?;
                write!(f, ", {} bytes", data.len())
            }
        }
    }
}

/// Bytes that are meant as text: what is no UTF-8 becomes U+FFFD, zeros at the end are left out.
fn bytes(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    let end = data
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last.saturating_add(1));
    let text = String::from_utf8_lossy(data.get(..end).unwrap_or_default());
    text.chars().try_for_each(|c| f.write_char(shown(c)))
}

/// The first bytes, and how many there are when those are not all.
fn hexadecimal(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    const SHOWN: usize = 16;
    if data.is_empty() {
        return f.write_str("nothing");
    }
    data.iter()
        .take(SHOWN)
        .try_for_each(|byte| write!(f, "{byte:02x}"))?;
    if data.len() > SHOWN {
        write!(f, "... ({} bytes)", data.len())?;
    }
    Ok(())
}
