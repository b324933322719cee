//! The recipe of the example: a set of supplier invoices and the truth about
//! them, both from one seed.
//!
//! Eight documents come out, in an order that the seed decides: three plain ones
//! and one of each difficulty that the workflow must master ([`Difficulty`]).
//! The truth is what a person reads on the pages, so the document with the wrong
//! total has the wrong total in the truth as well, marked as a finding.

pub mod chance;
pub mod invoice;
pub mod layout;
pub mod page;
pub mod pdf;
pub mod scan;
pub mod supplier;
pub mod truth;

use std::path::{Path, PathBuf};

use chance::Chance;
use invoice::Invoice;
use page::Fonts;

/// What is difficult about a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difficulty {
    /// Nothing.
    Plain,
    /// A picture of a page, askew and noisy, without any text in the file.
    Scan,
    /// The total stands on the second page.
    TwoPages,
    /// A picture of a page under invisible text that says something else.
    LyingText,
    /// Net and tax do not add up to the total.
    WrongTotal,
}

impl Difficulty {
    /// One set: what each document has, before shuffling.
    pub const SET: [Self; 8] = [
        Self::Plain,
        Self::Plain,
        Self::Plain,
        Self::Scan,
        Self::Scan,
        Self::TwoPages,
        Self::LyingText,
        Self::WrongTotal,
    ];

    /// The word in `truth.json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Scan => "scan",
            Self::TwoPages => "two-pages",
            Self::LyingText => "lying-text",
            Self::WrongTotal => "wrong-total",
        }
    }
}

/// Why a set could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// A font is not there.
    #[error("the font {path} cannot be read ({source}); install the package fonts-dejavu-core")]
    Font {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A font is damaged.
    #[error("the font {0} is not a TrueType font")]
    NotAFont(PathBuf),
    /// A file of the set cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// One document of a set.
#[derive(Debug)]
pub struct Document {
    /// File name, `inv-1.pdf` to `inv-8.pdf`.
    pub file: String,
    /// What is on it.
    pub invoice: Invoice,
    /// What is difficult about it.
    pub difficulty: Difficulty,
    /// The PDF.
    pub bytes: Vec<u8>,
}

/// Makes the set of a seed.
///
/// # Errors
/// [`RecipeError`] if the host has no DejaVu fonts.
pub fn set(seed: u64) -> Result<Vec<Document>, RecipeError> {
    let fonts = Fonts::load()?;
    let mut chance = Chance::new(seed);
    let mut difficulties = Difficulty::SET;
    chance.shuffle(&mut difficulties);
    let mut suppliers = supplier::ALL;
    chance.shuffle(&mut suppliers);
    let documents = difficulties.into_iter().zip(suppliers).zip(1u32..);
    Ok(documents
        .map(|((difficulty, supplier), number)| {
            let invoice = Invoice::draw(supplier, difficulty, &mut chance);
            Document {
                file: format!("inv-{number}.pdf"),
                bytes: document(&invoice, difficulty, &fonts, &mut chance),
                invoice,
                difficulty,
            }
        })
        .collect())
}

fn document(
    invoice: &Invoice,
    difficulty: Difficulty,
    fonts: &Fonts,
    chance: &mut Chance,
) -> Vec<u8> {
    let pages = layout::pages(invoice, fonts);
    match difficulty {
        Difficulty::Plain | Difficulty::TwoPages | Difficulty::WrongTotal => {
            pdf::of_text(&pages, fonts)
        }
        Difficulty::Scan => {
            let how = scan::Scanner::askew(chance);
            pdf::of_pictures(&scan::scan(&pages, fonts, &how, chance), &[], fonts)
        }
        Difficulty::LyingText => {
            let how = scan::Scanner::straight();
            let lie = layout::pages(&invoice.lie(chance), fonts);
            pdf::of_pictures(&scan::scan(&pages, fonts, &how, chance), &lie, fonts)
        }
    }
}

/// Writes the set of a seed with `truth.json` and `expected.tsv` into a folder,
/// which is made if it is not there.
///
/// # Errors
/// [`RecipeError`] names the file.
pub fn write(seed: u64, folder: &Path) -> Result<Vec<Document>, RecipeError> {
    let documents = set(seed)?;
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|source| RecipeError::Write { path, source })
    };
    std::fs::create_dir_all(folder).map_err(|source| RecipeError::Write {
        path: folder.to_owned(),
        source,
    })?;
    for document in &documents {
        put(&document.file, &document.bytes)?;
    }
    put("truth.json", truth::json(seed, &documents).as_bytes())?;
    put("expected.tsv", truth::tsv(&documents).as_bytes())?;
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let bytes =
            |seed| -> Vec<Vec<u8>> { set(seed).unwrap().into_iter().map(|d| d.bytes).collect() };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn only_the_wrong_total_is_wrong() {
        for seed in 0..4 {
            let documents = set(seed).unwrap();
            assert_eq!(documents.len(), 8);
            for document in documents {
                let invoice = &document.invoice;
                assert_eq!(
                    invoice.net + invoice.tax != invoice.total,
                    document.difficulty == Difficulty::WrongTotal
                );
            }
        }
    }
}
