//! A disk that keeps what it promised, and of the rest what chance leaves.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::Dice;
use super::trace::Event;

/// What arrived of that which was not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrived {
    /// Nothing: only what a sync covered is there.
    Nothing,
    /// Everything, as after `kill -9` with the power on.
    Everything,
    /// Writes in any order, some not at all, one torn at any byte; names up to some point.
    Some { seed: u64 },
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Directory,
    File(usize),
}

#[derive(Debug, Clone)]
enum Rename {
    Set(PathBuf, Node),
    Unset(PathBuf),
    Move(PathBuf, PathBuf),
}

/// How far a sync that has begun will reach.
#[derive(Debug)]
enum Reach {
    File { file: usize, changes: usize },
    Directory { path: PathBuf, changes: usize },
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    pending_names: Vec<Rename>,
    syncs: HashMap<u64, Reach>,
}

impl Disk {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Opened {
                path,
                create,
                truncate,
            } => self.open(path, *create, *truncate),
            Event::Write {
                path,
                offset,
                bytes,
            } => {
                let offset = usize::try_from(*offset).unwrap();
                self.change(
                    path,
                    Change::Write {
                        offset,
                        bytes: bytes.clone(),
                    },
                );
            }
            Event::Resize { path, length } => {
                self.change(path, Change::Resize(usize::try_from(*length).unwrap()));
            }
            Event::SyncBegan { call, path } => {
                let reach = match self.names.get(path) {
                    Some(Node::File(file)) => Reach::File {
                        file: *file,
                        changes: self.files[*file].pending.len(),
                    },
                    _ => Reach::Directory {
                        path: path.clone(),
                        changes: self.pending_names.len(),
                    },
                };
                self.syncs.insert(*call, reach);
            }
            Event::SyncEnded { call } => {
                let reach = self.syncs.remove(call).unwrap();
                self.synced(reach);
            }
            Event::Directory { path } => self.rename(Rename::Set(path.clone(), Node::Directory)),
            Event::Rename { from, to } => self.rename(Rename::Move(from.clone(), to.clone())),
            Event::Remove { path } => self.rename(Rename::Unset(path.clone())),
            Event::Acknowledged(_) => {}
        }
    }

    /// Lays the disk out below `to` as the power cut leaves it.
    pub(super) fn lay_out(&self, root: &Path, to: &Path, arrived: Arrived) {
        let mut dice = match arrived {
            Arrived::Some { seed } => Dice(seed),
            _ => Dice(0),
        };
        let mut names = self.durable_names.clone();
        let kept = match arrived {
            Arrived::Nothing => 0,
            Arrived::Everything => self.pending_names.len(),
            Arrived::Some { .. } => dice.roll(self.pending_names.len() + 1),
        };
        for change in &self.pending_names[..kept] {
            rename(&mut names, change);
        }
        for (path, node) in &names {
            let below = path.strip_prefix(root).unwrap();
            // A name in a directory that has none itself is not reached.
            let reachable = path
                .ancestors()
                .skip(1)
                .take_while(|parent| *parent != root)
                .all(|parent| names.get(parent) == Some(&Node::Directory));
            if !reachable {
                continue;
            }
            match node {
                Node::Directory => std::fs::create_dir_all(to.join(below)).unwrap(),
                Node::File(file) => {
                    let bytes = self.files[*file].after(arrived, &mut dice);
                    std::fs::write(to.join(below), bytes).unwrap();
                }
            }
        }
    }

    fn open(&mut self, path: &Path, create: bool, truncate: bool) {
        if !self.names.contains_key(path) {
            assert!(create, "{} was opened and never made", path.display());
            self.files.push(File::default());
            let node = Node::File(self.files.len() - 1);
            self.rename(Rename::Set(path.to_owned(), node));
        } else if truncate {
            self.change(path, Change::Resize(0));
        }
    }

    fn change(&mut self, path: &Path, change: Change) {
        let Some(Node::File(file)) = self.names.get(path) else {
            panic!("{} is no file", path.display());
        };
        self.files[*file].pending.push(change);
    }

    fn rename(&mut self, change: Rename) {
        rename(&mut self.names, &change);
        self.pending_names.push(change);
    }

    fn synced(&mut self, reach: Reach) {
        match reach {
            Reach::File { file, changes } => {
                let file = &mut self.files[file];
                // Another sync may have returned in between and covered some already; each covers
                // what was there when it began, and the later to return covered no less.
                let covered = changes.min(file.pending.len());
                for change in file.pending.drain(..covered) {
                    change.apply(&mut file.durable, usize::MAX);
                }
            }
            Reach::Directory { path, changes } => {
                let inside = |name: &Path| name.parent() == Some(&path);
                let mut kept = Vec::new();
                for (at, change) in std::mem::take(&mut self.pending_names)
                    .into_iter()
                    .enumerate()
                {
                    let of_this = match &change {
                        Rename::Set(name, _) | Rename::Unset(name) => inside(name),
                        Rename::Move(from, to) => inside(from) && inside(to),
                    };
                    if at < changes && of_this {
                        rename(&mut self.durable_names, &change);
                    } else {
                        kept.push(change);
                    }
                }
                self.pending_names = kept;
            }
        }
    }
}

impl File {
    fn after(&self, arrived: Arrived, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        match arrived {
            Arrived::Nothing => {}
            Arrived::Everything => {
                for change in &self.pending {
                    change.apply(&mut bytes, usize::MAX);
                }
            }
            Arrived::Some { .. } => {
                for change in &self.pending {
                    match dice.roll(3) {
                        0 => {}
                        1 => change.apply(&mut bytes, usize::MAX),
                        _ => change.apply(&mut bytes, dice.roll(change.length() + 1)),
                    }
                }
            }
        }
        bytes
    }
}

impl Change {
    fn length(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Resize(_) => 0,
        }
    }

    /// Applies the change, of a write at most the first `torn` bytes.
    fn apply(&self, file: &mut Vec<u8>, torn: usize) {
        match self {
            Self::Write { offset, bytes } => {
                let bytes = &bytes[..torn.min(bytes.len())];
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(bytes);
            }
            Self::Resize(length) => file.resize(*length, 0),
        }
    }
}

fn rename(names: &mut BTreeMap<PathBuf, Node>, change: &Rename) {
    match change {
        Rename::Set(path, node) => {
            names.insert(path.clone(), *node);
        }
        Rename::Unset(path) => {
            names.remove(path);
        }
        Rename::Move(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}
