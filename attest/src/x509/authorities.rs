//! The authorities that an auditor chooses.

use x509_cert::der::{Document, Reader as _, SliceReader};

use super::{Certificate, ChainError};

/// The most bytes that a file of authorities may have.
pub const MAX_FILE: usize = 1 << 20;
/// The most authorities of each kind.
const MAX_AUTHORITIES: usize = 256;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Roots and intermediates. A root is trusted because it was given as one, whoever signed it; an
/// intermediate is worth what a chain from it to a root says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    pub(super) roots: Vec<Certificate>,
    pub(super) intermediates: Vec<Certificate>,
}

impl Authorities {
    /// Adds the roots of a file: PEM with any number of certificates, or DER, several one after
    /// the other.
    ///
    /// # Errors
    /// [`ChainError::Malformed`] when it is not such a file, or there are too many.
    pub fn add_roots(&mut self, file: &[u8]) -> Result<(), ChainError> {
        add(&mut self.roots, file)
    }

    /// Adds the intermediates of a file.
    ///
    /// # Errors
    /// As [`Authorities::add_roots`].
    pub fn add_intermediates(&mut self, file: &[u8]) -> Result<(), ChainError> {
        add(&mut self.intermediates, file)
    }

    /// Whether no root was given.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The roots.
    #[must_use]
    pub fn roots(&self) -> &[Certificate] {
        &self.roots
    }
}

fn add(to: &mut Vec<Certificate>, file: &[u8]) -> Result<(), ChainError> {
    let malformed = |what: String| ChainError::Malformed(what);
    if file.len() > MAX_FILE {
        return Err(malformed(format!("more than {MAX_FILE} bytes")));
    }
    let before = to.len();
    match std::str::from_utf8(file) {
        Ok(text) if text.contains(BEGIN) => add_pem(to, text)?,
        _ => add_der(to, file)?,
    }
    if to.len() == before {
        return Err(malformed("no certificate in the file".to_owned()));
    }
    if to.len() > MAX_AUTHORITIES {
        let what = format!("more than {MAX_AUTHORITIES} certificates");
        return Err(malformed(what));
    }
    Ok(())
}

/// What stands between the certificates is for people.
fn add_pem(to: &mut Vec<Certificate>, text: &str) -> Result<(), ChainError> {
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let from = rest.get(start..).unwrap_or_default();
        let end = from.find(END).map(|end| end.saturating_add(END.len()));
        let one = end.and_then(|end| from.split_at_checked(end));
        let Some((one, after)) = one else {
            let what = "a certificate in PEM has no end".to_owned();
            return Err(ChainError::Malformed(what));
        };
        // Carriage returns within and spaces at the ends of lines are common in vendors' files.
        let lines: Vec<&str> = one.lines().map(str::trim).collect();
        let (_, der) = Document::from_pem(&lines.join("\n"))
            .map_err(|error| ChainError::Malformed(error.to_string()))?;
        to.push(Certificate::read(der.as_bytes())?);
        rest = after;
    }
    Ok(())
}

fn add_der(to: &mut Vec<Certificate>, mut file: &[u8]) -> Result<(), ChainError> {
    while !file.is_empty() {
        let one = SliceReader::new(file).and_then(|mut reader| reader.tlv_bytes());
        let one = one.map_err(|error| ChainError::Malformed(error.to_string()))?;
        to.push(Certificate::read(one)?);
        file = file.get(one.len()..).unwrap_or_default();
    }
    Ok(())
}
