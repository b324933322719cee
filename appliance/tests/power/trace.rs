//! strace's lines as events on files.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The calls that are recorded: all that change a file or a name, all that sync.
pub(super) const CALLS: &str = "trace=open,openat,creat,close,write,pwrite64,writev,pwritev,\
pwritev2,lseek,fsync,fdatasync,syncfs,sync,sync_file_range,msync,ftruncate,truncate,fallocate,\
copy_file_range,sendfile,splice,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,\
link,linkat,symlink,symlinkat,io_uring_setup,io_uring_enter";

/// One thing that happened to the disk.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A name was opened for writing, made if it was not there.
    Opened {
        path: PathBuf,
        create: bool,
        truncate: bool,
    },
    Write {
        path: PathBuf,
        offset: u64,
        bytes: Vec<u8>,
    },
    Resize {
        path: PathBuf,
        length: u64,
    },
    /// A sync of a file or directory began; it covers what was there now.
    SyncBegan {
        call: u64,
        path: PathBuf,
    },
    /// And returned.
    SyncEnded {
        call: u64,
    },
    Directory {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Acknowledged(u64),
}

/// Reads a trace; only what is below `root` and the acknowledgements beside it.
pub(super) fn parse(text: &str, root: &Path) -> Vec<Event> {
    let mut reader = Reader {
        root: root.to_owned(),
        ..Reader::default()
    };
    for line in text.lines() {
        reader.line(line);
    }
    reader.events
}

#[derive(Debug, Default)]
struct Reader {
    root: PathBuf,
    events: Vec<Event>,
    unfinished: HashMap<String, (String, u64)>,
    positions: HashMap<(u64, PathBuf), u64>,
    calls: u64,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let (pid, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            let call = self.next_call();
            if let Some(path) = synced(begun) {
                self.sync_began(call, path);
            }
            self.unfinished
                .insert(pid.to_owned(), (begun.trim_end().to_owned(), call));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, end) = resumed.split_once(" resumed>").unwrap();
            let (begun, call) = self.unfinished.remove(pid).unwrap();
            self.call(&format!("{begun}{end}"), call, true);
        } else if rest.contains('(') {
            let call = self.next_call();
            self.call(rest, call, false);
        }
    }

    fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    fn sync_began(&mut self, call: u64, path: PathBuf) {
        if super::within(&self.root, &path) {
            self.events.push(Event::SyncBegan { call, path });
        }
    }

    fn call(&mut self, text: &str, call: u64, begun_before: bool) {
        let (name, rest) = text.split_once('(').unwrap();
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            return;
        };
        let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        let arguments = Arguments::read(arguments);
        match name {
            "open" | "openat" | "creat" => self.open(name, &arguments, result),
            "write" => self.write(&arguments, result, None),
            "pwrite64" => self.write(&arguments, result, Some(arguments.number(3))),
            "lseek" => {
                let (fd, path) = arguments.descriptor(0);
                let at = result.split(' ').next().unwrap().parse().unwrap();
                self.positions.insert((fd, path), at);
            }
            "fsync" | "fdatasync" => {
                let path = arguments.descriptor(0).1;
                if super::within(&self.root, &path) {
                    if !begun_before {
                        self.events.push(Event::SyncBegan { call, path });
                    }
                    self.events.push(Event::SyncEnded { call });
                }
            }
            "ftruncate" => {
                let (path, length) = (arguments.descriptor(0).1, arguments.number(1));
                self.push(&path.clone(), Event::Resize { path, length });
            }
            "rename" => self.rename(arguments.path(0), arguments.path(1)),
            "renameat" | "renameat2" => self.rename(arguments.path_at(0), arguments.path_at(2)),
            "unlink" | "rmdir" => self.remove(arguments.path(0)),
            "unlinkat" => self.remove(arguments.path_at(0)),
            "mkdir" => self.directory(arguments.path(0)),
            "mkdirat" => self.directory(arguments.path_at(0)),
            // Neither makes anything durable (sync_file_range(2): "no guarantees").
            "close" | "sync_file_range" => {}
            other => self.unsupported(other, text),
        }
    }

    fn open(&mut self, name: &str, arguments: &Arguments, result: &str) {
        let (path, flags) = match name {
            "openat" => (arguments.path_at(0), arguments.text(2)),
            _ => (arguments.path(0), arguments.text(1)),
        };
        let (fd, opened) = descriptor(result);
        self.positions.insert((fd, opened), 0);
        let has = |flag: &str| flags.split('|').any(|found| found == flag);
        assert!(
            !has("O_APPEND") || !super::within(&self.root, &path),
            "{}",
            path.display()
        );
        if has("O_WRONLY") || has("O_RDWR") || name == "creat" {
            let (create, truncate) = (has("O_CREAT"), has("O_TRUNC"));
            self.push(
                &path.clone(),
                Event::Opened {
                    path,
                    create,
                    truncate,
                },
            );
        }
    }

    fn write(&mut self, arguments: &Arguments, result: &str, offset: Option<u64>) {
        let (fd, path) = arguments.descriptor(0);
        let count: usize = result.trim().parse().unwrap();
        let mut bytes = arguments.bytes(1);
        assert!(bytes.len() >= count, "strace cut the data off");
        bytes.truncate(count);
        if path == self.root.with_extension("acks") {
            let number = String::from_utf8(bytes).unwrap().trim().parse().unwrap();
            self.events.push(Event::Acknowledged(number));
            return;
        }
        let at = offset.unwrap_or_else(|| {
            let position = self.positions.entry((fd, path.clone())).or_default();
            let at = *position;
            *position += count as u64;
            at
        });
        self.push(
            &path.clone(),
            Event::Write {
                path,
                offset: at,
                bytes,
            },
        );
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf) {
        self.push(&from.clone(), Event::Rename { from, to });
    }

    fn remove(&mut self, path: PathBuf) {
        self.push(&path.clone(), Event::Remove { path });
    }

    fn directory(&mut self, path: PathBuf) {
        self.push(&path.clone(), Event::Directory { path });
    }

    fn push(&mut self, path: &Path, event: Event) {
        if super::within(&self.root, path) {
            self.events.push(event);
        }
    }

    /// A call that the model does not know must not touch what is judged.
    fn unsupported(&self, name: &str, text: &str) {
        let root: String = self
            .root
            .to_str()
            .unwrap()
            .bytes()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        assert!(!text.contains(&root), "the model has no `{name}`");
        assert!(
            !name.starts_with("io_uring") && name != "sync" && name != "syncfs",
            "{name}"
        );
    }
}

/// The file that a begun fsync or fdatasync is about.
fn synced(begun: &str) -> Option<PathBuf> {
    let (name, rest) = begun.split_once('(')?;
    matches!(name, "fsync" | "fdatasync").then(|| descriptor(rest).1)
}

/// The arguments of a call, split at commas outside strings and brackets.
#[derive(Debug)]
struct Arguments(Vec<String>);

impl Arguments {
    fn read(text: &str) -> Self {
        let (mut parts, mut part, mut quoted, mut depth) = (Vec::new(), String::new(), false, 0);
        for character in text.chars() {
            match character {
                '"' => quoted = !quoted,
                '<' | '[' | '{' if !quoted => depth += 1,
                '>' | ']' | '}' if !quoted => depth -= 1,
                ',' if !quoted && depth == 0 => {
                    parts.push(std::mem::take(&mut part));
                    continue;
                }
                _ => {}
            }
            part.push(character);
        }
        parts.push(part);
        Self(
            parts
                .into_iter()
                .map(|part| part.trim().to_owned())
                .collect(),
        )
    }

    fn text(&self, at: usize) -> &str {
        &self.0[at]
    }

    fn number(&self, at: usize) -> u64 {
        self.0[at].parse().unwrap()
    }

    fn bytes(&self, at: usize) -> Vec<u8> {
        let text = self.0[at].strip_prefix('"').unwrap();
        unescape(text.strip_suffix('"').expect("strace cut the data off"))
    }

    fn path(&self, at: usize) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.bytes(at)))
    }

    /// A path relative to the directory in the argument before it.
    fn path_at(&self, at: usize) -> PathBuf {
        let path = self.path(at + 1);
        match path.is_absolute() {
            true => path,
            false => descriptor(&self.0[at]).1.join(path),
        }
    }

    fn descriptor(&self, at: usize) -> (u64, PathBuf) {
        descriptor(&self.0[at])
    }
}

/// `5<\x2f\x61>` or `AT_FDCWD<...>`.
fn descriptor(text: &str) -> (u64, PathBuf) {
    let (number, rest) = text.split_once('<').unwrap_or((text, ">"));
    let (path, _) = rest.split_once('>').unwrap();
    (
        number.trim().parse().unwrap_or(u64::MAX),
        OsString::from_vec(unescape(path)).into(),
    )
}

fn unescape(text: &str) -> Vec<u8> {
    text.split("\\x")
        .skip(1)
        .map(|byte| u8::from_str_radix(byte.get(..2).unwrap(), 16).unwrap())
        .collect()
}
