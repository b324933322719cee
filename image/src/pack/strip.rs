//! The strip list: what of Debian's tree a pack does not keep, with reasons.
//!
//! `image/packs/NAME.strip` is lines of globs from the tree's root. `/x/` is
//! the directory and all below it, `!/x` keeps what another line would remove.
//! Every group of lines stands under a `#` comment that says why. A line that
//! matches nothing is an error, so the list stays true.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::BuildError;
use crate::pack::tree;

/// A read strip list.
#[derive(Debug)]
pub(crate) struct Strip {
    path: PathBuf,
    remove: Rules,
    keep: Rules,
}

#[derive(Debug)]
struct Rules {
    lines: Vec<String>,
    globs: GlobSet,
    /// For each glob, the line it came from.
    origin: Vec<usize>,
}

impl Strip {
    /// Reads a strip list.
    ///
    /// # Errors
    /// `File`, or `Recipe` when a line is no glob or stands under no reason.
    pub(crate) fn read(path: &Path) -> Result<Self, BuildError> {
        let text = std::fs::read_to_string(path).map_err(BuildError::file("read", path))?;
        let (mut remove, mut keep) = (Vec::new(), Vec::new());
        let mut reason = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            match line.chars().next() {
                None => reason = false,
                Some('#') => reason = true,
                Some('!') if reason => keep.push(line.trim_start_matches('!').to_owned()),
                Some('/') if reason => remove.push(line.to_owned()),
                Some('/' | '!') => {
                    let why = format!("line {}: stands under no reason", number + 1);
                    return Err(BuildError::recipe(path, why));
                }
                Some(_) => {
                    let why = format!("line {}: does not begin with / ! or #", number + 1);
                    return Err(BuildError::recipe(path, why));
                }
            }
        }
        let rules = |lines| Rules::new(lines).map_err(|why| BuildError::recipe(path, why));
        Ok(Self {
            path: path.to_path_buf(),
            remove: rules(remove)?,
            keep: rules(keep)?,
        })
    }

    /// Whether the list keeps exactly this path by naming it in full.
    #[must_use]
    pub(crate) fn names(&self, path: &str) -> bool {
        self.keep.lines.iter().any(|line| line == path)
    }

    /// Removes what the list says from `tree`, deepest first, and returns how
    /// many entries went.
    ///
    /// # Errors
    /// `File`, or `Recipe` when a line matched nothing.
    pub(crate) fn apply(&self, tree: &Path) -> Result<usize, BuildError> {
        let mut used = (
            vec![false; self.remove.lines.len()],
            vec![false; self.keep.lines.len()],
        );
        let mut removed = 0;
        for entry in tree::entries_deepest_first(tree)? {
            if !self.remove.matches(&entry.inside, &mut used.0)
                || self.keep.matches(&entry.inside, &mut used.1)
            {
                continue;
            }
            if !entry.is_dir {
                std::fs::remove_file(&entry.path)
                    .map_err(BuildError::file("remove", &entry.path))?;
                removed += 1;
            } else if std::fs::remove_dir(&entry.path).is_ok() {
                // A directory that still holds something kept stays.
                removed += 1;
            }
        }
        let unused: Vec<&str> = self
            .remove
            .unused(&used.0)
            .chain(self.keep.unused(&used.1))
            .collect();
        if unused.is_empty() {
            return Ok(removed);
        }
        Err(BuildError::recipe(
            &self.path,
            format!("match nothing: {}", unused.join(" ")),
        ))
    }
}

impl Rules {
    fn new(lines: Vec<String>) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        let mut origin = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let globs = match line.strip_suffix('/') {
                Some(dir) => vec![dir.to_owned(), format!("{dir}/**")],
                None => vec![line.clone()],
            };
            for glob in globs {
                let glob = GlobBuilder::new(&glob).literal_separator(true).build();
                set.add(glob.map_err(|e| e.to_string())?);
                origin.push(index);
            }
        }
        Ok(Self {
            lines,
            globs: set.build().map_err(|e| e.to_string())?,
            origin,
        })
    }

    fn matches(&self, inside: &str, used: &mut [bool]) -> bool {
        let found = self.globs.matches(inside);
        for glob in &found {
            if let Some(used) = self.origin.get(*glob).and_then(|line| used.get_mut(*line)) {
                *used = true;
            }
        }
        !found.is_empty()
    }

    fn unused<'a>(&'a self, used: &'a [bool]) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .zip(used)
            .filter(|(_, used)| !**used)
            .map(|(line, _)| line.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(list: &str) -> Result<(Vec<String>, usize), BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("usr/share/doc/x")).unwrap();
        std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
        for file in ["usr/share/doc/x/copyright", "usr/bin/su", "usr/bin/evince"] {
            std::fs::write(tree.join(file), "x").unwrap();
        }
        let path = dir.path().join("t.strip");
        std::fs::write(&path, list).unwrap();
        let removed = Strip::read(&path)?.apply(&tree)?;
        let mut left: Vec<String> = tree::entries_deepest_first(&tree)?
            .into_iter()
            .map(|entry| entry.inside)
            .collect();
        left.sort();
        Ok((left, removed))
    }

    #[test]
    fn a_kept_path_survives_a_wide_glob() {
        let (left, removed) =
            strip("# programs\n/usr/bin/*\n!/usr/bin/evince\n\n# texts\n/usr/share/doc/\n")
                .unwrap();
        assert_eq!(left, ["/usr", "/usr/bin", "/usr/bin/evince", "/usr/share"]);
        assert_eq!(removed, 4);
    }

    #[test]
    fn a_line_without_reason_or_without_match_is_refused() {
        for bad in [
            "/usr/bin/*\n",
            "# a\n\n/usr/bin/*\n",
            "# a\n/nothing\n",
            "# a\nusr\n",
        ] {
            assert_eq!(
                strip(bad).unwrap_err().code().id,
                "image.recipe-malformed",
                "{bad}"
            );
        }
    }
}
