//! What a TPM is, by its endorsement certificate (TCG EK Credential Profile, section 3.1.2).

use std::fmt;

use x509_cert::der::asn1::Any;
use x509_cert::der::{Tag, Tagged as _, oid::ObjectIdentifier};
use x509_cert::name::Name;

const MANUFACTURER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.1");
const MODEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.2");
const VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.3");

/// Manufacturers whose TPMs are programs: swtpm says IBM's old number; VMware, Google, and
/// Microsoft's for virtual machines (TCG Vendor ID Registry).
const SOFTWARE: [&str; 4] = ["00001014", "564D5700", "474F4F47", "4D534654"];

/// Manufacturer, model and firmware version, as the issuer of the certificate wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmModel {
    /// The registered number, eight hexadecimal digits.
    pub manufacturer: String,
    /// The model's name.
    pub model: String,
    /// The firmware version.
    pub version: String,
}

impl TpmModel {
    /// Out of a directory name; `None` when it names no manufacturer.
    pub(super) fn of(name: &Name) -> Option<Self> {
        let value = |wanted: ObjectIdentifier| {
            let mut attributes = name.0.iter().flat_map(|rdn| rdn.0.iter());
            let attribute = attributes.find(|attribute| attribute.oid == wanted)?;
            text(&attribute.value)
        };
        let manufacturer = value(MANUFACTURER)?;
        let manufacturer = manufacturer.strip_prefix("id:").unwrap_or(&manufacturer);
        let version = value(VERSION).unwrap_or_default();
        Some(Self {
            manufacturer: manufacturer.to_ascii_uppercase(),
            model: value(MODEL).unwrap_or_default(),
            version: version.strip_prefix("id:").unwrap_or(&version).to_owned(),
        })
    }

    /// Whether the manufacturer makes TPMs in software only.
    #[must_use]
    pub fn is_software(&self) -> bool {
        SOFTWARE.contains(&self.manufacturer.as_str())
    }

    /// The manufacturer's letters, when its number is made of letters.
    fn letters(&self) -> Option<String> {
        let bytes = hex::decode(&self.manufacturer).ok()?;
        let letters = String::from_utf8(bytes).ok()?;
        let letters = letters.trim_end_matches(['\0', ' ']).to_owned();
        let readable = letters.chars().all(|c| c.is_ascii_alphanumeric());
        (readable && !letters.is_empty()).then_some(letters)
    }
}

impl fmt::Display for TpmModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            manufacturer,
            model,
            version,
        } = self;
        let maker = self.letters().unwrap_or_else(|| manufacturer.clone());
        write!(f, "{maker} {model}, version {version}")
    }
}

/// A short directory string.
fn text(value: &Any) -> Option<String> {
    let readable = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    );
    let text = std::str::from_utf8(value.value()).ok()?;
    let fits = readable && text.len() <= 64 && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
}
