//! `image diff`: why two builds are not the same, layer by layer.
//!
//! Package, disk, partition, file system, unified kernel image, initrd, file: each is opened until
//! the thing that differs is a line or a byte. What carries the digest of something else is looked
//! at after that something (the root before the kernel command line, the disk before the package's
//! manifest), so that the first difference named is a cause and not its echo.
//!
//! The files may be anybody's. They are read by strict readers of our own, and by `mtools`,
//! `fsck.erofs` and `zstd`, as a build host trusts them; nothing of them is run.

mod archives;
mod content;
mod filesystems;
mod partitions;
mod uki;

use std::path::Path;

use content::{Content, Form};

use crate::error::BuildError;

/// The most differences that are reported one by one.
const MOST: usize = 50;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The layers down to it, outermost first.
    pub place: Vec<String>,
    /// What it is, in one and in the other.
    pub what: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place.join(" > "))?;
        }
        f.write_str(&self.what)
    }
}

/// Compares two files. Nothing if they are the same, or what differs, causes first.
///
/// # Errors
/// `File` when one cannot be read, `Tool` when a reader of a file system fails.
pub fn compare(first: &Path, second: &Path) -> Result<Vec<Difference>, BuildError> {
    let mut comparison = Comparison::default();
    let [a, b] = [first, second].map(Content::open);
    comparison.contents(&a?, &b?)?;
    Ok(comparison.found)
}

/// A comparison under way.
#[derive(Debug, Default)]
struct Comparison {
    place: Vec<String>,
    found: Vec<Difference>,
}

impl Comparison {
    /// Notes a difference here.
    fn note(&mut self, what: impl Into<String>) {
        if self.found.len() < MOST {
            let place = self.place.clone();
            self.found.push(Difference {
                place,
                what: what.into(),
            });
        }
    }

    /// Does `inner` one layer further in.
    fn within(
        &mut self,
        layer: impl Into<String>,
        inner: impl FnOnce(&mut Self) -> Result<(), BuildError>,
    ) -> Result<(), BuildError> {
        self.place.push(layer.into());
        let result = inner(self);
        self.place.pop();
        result
    }

    /// Compares two contents in whatever form they are.
    fn contents(&mut self, a: &Content, b: &Content) -> Result<(), BuildError> {
        let Some(at) = a.first_difference(b)? else {
            return Ok(());
        };
        let (form, other) = (a.form()?, b.form()?);
        if form != other {
            self.note(format!("{form} in the first, {other} in the second"));
            return Ok(());
        }
        let before = self.found.len();
        let opened = match form {
            Form::Package => self.packages(a, b)?,
            Form::Cpio => self.cpios(a, b)?,
            Form::Vmdk => self.vmdks(a, b)?,
            Form::Disk => self.disks(a, b)?,
            Form::Fat => self.fats(a, b)?,
            Form::Erofs => self.erofses(a, b)?,
            Form::Pe => self.images(a, b)?,
            Form::Zstd => self.compressed(a, b)?,
            Form::Text => self.texts(a, b)?,
            Form::Bytes => false,
        };
        if self.found.len() > before {
            return Ok(());
        }
        let bytes = format!("{} and {}", a.excerpt(at)?, b.excerpt(at)?);
        if opened {
            let what = "the same content is packed differently";
            self.note(format!("{what}: byte {at} on is {bytes}"));
        } else if a.size != b.size && at == a.size.min(b.size) {
            self.note(format!(
                "{} bytes in the first, {} in the second",
                a.size, b.size
            ));
        } else {
            self.note(format!("byte {at} on is {bytes}"));
        }
        Ok(())
    }

    /// Compares two texts by lines; always opened.
    fn texts(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let (a, b) = (a.bytes()?, b.bytes()?);
        let (a, b) = (String::from_utf8_lossy(&a), String::from_utf8_lossy(&b));
        let (mut left, mut right) = (a.split('\n'), b.split('\n'));
        for number in 1usize.. {
            match (left.next(), right.next()) {
                (None, None) => break,
                (x, y) if x == y => {}
                (x, y) => {
                    let (x, y) = (shown(x), shown(y));
                    self.note(format!(
                        "line {number} is {x} in the first, {y} in the second"
                    ));
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Compares what a list of names says in one and in the other.
    fn names(&mut self, kind: &str, a: &[String], b: &[String]) {
        for name in a.iter().filter(|name| !b.contains(name)) {
            self.note(format!("{kind} {name:?} is in the first only"));
        }
        for name in b.iter().filter(|name| !a.contains(name)) {
            self.note(format!("{kind} {name:?} is in the second only"));
        }
    }
}

/// A line as a message shows it: escaped, shortened around nothing but its end.
fn shown(line: Option<&str>) -> String {
    let Some(line) = line else {
        return "missing".to_owned();
    };
    let short: String = line.chars().take(160).collect();
    let more = if short.len() < line.len() { "..." } else { "" };
    format!("{short:?}{more}")
}
