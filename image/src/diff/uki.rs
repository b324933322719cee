//! Unified kernel images: sections by name, then what signs them.

use casemate_attest::predict::PeImage;

use super::Comparison;
use super::content::Content;
use crate::error::BuildError;

impl Comparison {
    /// Two PE images. Signatures are their last difference: they sign all the others.
    pub(super) fn images(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let (x, y) = (a.bytes()?, b.bytes()?);
        let (Ok(left), Ok(right)) = (PeImage::read(&x), PeImage::read(&y)) else {
            return Ok(false);
        };
        let names = |image: &PeImage<'_>| {
            let sections = image.sections().iter();
            let names = sections.map(|one| String::from_utf8_lossy(one.name).into_owned());
            names.collect::<Vec<_>>()
        };
        let (first, second) = (names(&left), names(&right));
        self.names("section", &first, &second);
        for name in &first {
            let (Some(left), Some(right)) = (left.section(name), right.section(name)) else {
                continue;
            };
            self.within(name, |inner| {
                let bytes =
                    [left, right].map(|one| Content::of_bytes(&one.content().unwrap_or_default()));
                let [left, right] = bytes;
                inner.contents(&left?, &right?)
            })?;
        }
        if left.authenticode() == right.authenticode() {
            self.note("the same image has another signature");
        }
        Ok(true)
    }
}
