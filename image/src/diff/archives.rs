//! Packages, initrds and what is compressed.

use std::path::Path;

use super::Comparison;
use super::content::Content;
use super::filesystems::{opened, scratch};
use crate::error::BuildError;
use crate::ova;
use crate::tool::Tool;
use crate::vmdk::{Malformed, Vmdk};

impl Comparison {
    /// Members of two tar archives: disks first, envelopes, then what is made from both.
    pub(super) fn packages(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let list = |of: &Content| {
            let (file, offset) = of.file();
            (offset == 0)
                .then(|| ova::members(file))
                .and_then(Result::ok)
        };
        let (Some(left), Some(right)) = (list(a), list(b)) else {
            return Ok(false);
        };
        let names = |of: &[ova::Member]| of.iter().map(|m| m.name.clone()).collect::<Vec<_>>();
        let (first, second) = (names(&left), names(&right));
        let mut pairs: Vec<_> = left
            .iter()
            .filter_map(|m| Some((m, right.iter().find(|other| other.name == m.name)?)))
            .collect();
        pairs.sort_by_key(|(member, _)| rank(&member.name));
        for (x, y) in &pairs {
            self.within(&x.name, |inner| {
                let (x, y) = (a.part(x.offset, x.size), b.part(y.offset, y.size));
                inner.contents(&x, &y)
            })?;
        }
        self.names("member", &first, &second);
        if first != second && first.len() == second.len() {
            self.note(format!(
                "members are {first:?} in the first, {second:?} in the second"
            ));
        }
        for (x, y) in pairs {
            if x.attributes != y.attributes {
                let (name, x, y) = (&x.name, &x.attributes, &y.attributes);
                self.note(format!("{name} has {x} in the first, {y} in the second"));
            }
        }
        Ok(true)
    }

    /// Two VMDKs: what they say of their disk, and the disk.
    pub(super) fn vmdks(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let (a, b) = (a.copied()?, b.copied()?);
        let (left, right) = (Vmdk::open(a.file().0), Vmdk::open(b.file().0));
        let (Ok(left), Ok(right)) = (left, right) else {
            return Ok(false);
        };
        let unpack = |vmdk: &Vmdk<'_>| -> Result<Content, Malformed> {
            let mut disk = tempfile::tempfile()?;
            vmdk.unpack(&mut disk)?;
            Ok(Content::of(disk)?)
        };
        let (Ok(first), Ok(second)) = (unpack(&left), unpack(&right)) else {
            return Ok(false);
        };
        self.within("disk", |inner| inner.contents(&first, &second))?;
        let [left, right] = [&left, &right].map(|of| Content::of_bytes(of.descriptor.as_bytes()));
        let (left, right) = (left?, right?);
        self.within("descriptor", |inner| inner.contents(&left, &right))?;
        Ok(true)
    }

    /// Members of two newc archives, as the kernel unpacks an initrd.
    pub(super) fn cpios(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let (x, y) = (a.bytes()?, b.bytes()?);
        let (Some(left), Some(right)) = (newc(&x), newc(&y)) else {
            return Ok(false);
        };
        let names = |of: &[Entry<'_>]| of.iter().map(|e| e.name.clone()).collect::<Vec<_>>();
        self.names("file", &names(&left), &names(&right));
        for entry in &left {
            let Some(other) = right.iter().find(|other| other.name == entry.name) else {
                continue;
            };
            self.within(&entry.name, |inner| {
                if entry.attributes != other.attributes {
                    let (x, y) = (&entry.attributes, &other.attributes);
                    inner.note(format!("{x} in the first, {y} in the second"));
                }
                let [x, y] = [entry.bytes, other.bytes].map(Content::of_bytes);
                inner.contents(&x?, &y?)
            })?;
        }
        Ok(true)
    }

    /// Two zstd streams.
    pub(super) fn compressed(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let dir = scratch()?;
        let unpack = |of: &Content, name: &str| {
            let (from, to) = (
                dir.path().join(name),
                dir.path().join(format!("{name}.out")),
            );
            std::fs::write(&from, of.bytes()?).map_err(BuildError::file("write", &from))?;
            let tool = Tool::new("zstd").args(["-q", "-d", "-f", "-o"]);
            tool.arg(&to).arg(&from).run()?;
            Content::open(&to)
        };
        let (Some(left), Some(right)) = (opened(unpack(a, "a"))?, opened(unpack(b, "b"))?) else {
            return Ok(false);
        };
        self.contents(&left, &right)?;
        Ok(true)
    }
}

/// What is looked at when: an envelope states the size of the disk, a manifest digests of both, a
/// certificate signs the manifest.
fn rank(name: &str) -> usize {
    let ending = Path::new(name).extension().and_then(|end| end.to_str());
    let order = ["vmdk", "ovf", "mf", "cert"];
    order
        .iter()
        .position(|known| ending == Some(*known))
        .unwrap_or_default()
}

struct Entry<'a> {
    name: String,
    attributes: String,
    bytes: &'a [u8],
}

/// The entries of a newc archive (kernel, Documentation/driver-api/early-userspace/buffer-format).
fn newc(mut archive: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut out = Vec::new();
    let whole = archive.len();
    loop {
        let head = archive.get(..110)?;
        let field = |index: usize| {
            let digits = head.get(6 + index * 8..14 + index * 8)?;
            usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        if !head.starts_with(b"070701") {
            return None;
        }
        let (size, name_size) = (field(6)?, field(11)?);
        let name = archive.get(110..110usize.checked_add(name_size)?)?;
        let name = String::from_utf8_lossy(name.strip_suffix(&[0])?).into_owned();
        if name == "TRAILER!!!" {
            return Some(out);
        }
        let begin = (110 + name_size).next_multiple_of(4);
        let end = begin.checked_add(size)?;
        let numbers = [1, 2, 3, 5].map(|index| field(index).unwrap_or_default());
        let [mode, owner, group, time] = numbers;
        out.push(Entry {
            name,
            attributes: format!("mode {mode:o} owner {owner} group {group} time {time}"),
            bytes: archive.get(begin..end)?,
        });
        archive = archive.get(end.next_multiple_of(4).min(whole)..)?;
    }
}
