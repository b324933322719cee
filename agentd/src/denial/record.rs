//! One record of the kernel's audit stream, read strictly.
//!
//! A record is one line of text that the kernel wrote, but the names in it (a path,
//! a program's name) are a hostile program's choice. The kernel keeps them apart:
//! a name with a quote, a blank or a byte outside printable ASCII is written in
//! hexadecimal, all others in quotes (audit_log_untrustedstring). So a value in
//! quotes that holds any such byte is not the kernel's, and the record is refused
//! whole; a name that looks like the rest of a record comes as hexadecimal and is
//! never looked at as text.

use thiserror::Error;

/// Longest record the kernel makes (MAX_AUDIT_MESSAGE_LENGTH).
pub const LONGEST: usize = 8970;
/// Most fields of one record.
const FIELDS: usize = 80;
/// Longest name kept, in bytes; the rest is cut.
const NAME: usize = 400;

/// A system call was refused or killed by seccomp.
pub const SECCOMP: u16 = 1326;
/// What a system call was, at its end.
pub const SYSCALL: u16 = 1300;
/// A path that a system call named.
pub const PATH: u16 = 1302;
/// The directory it started from.
pub const CWD: u16 = 1307;
/// The last record of an event.
pub const END: u16 = 1320;
/// Landlock refused something.
pub const LANDLOCK_ACCESS: u16 = 1423;
/// A Landlock domain refused for the first time, or is gone.
pub const LANDLOCK_DOMAIN: u16 = 1424;

/// Why a record is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Longer than the kernel makes them.
    #[error("it is too long")]
    Long,
    /// It does not start with `audit(SECONDS.MILLISECONDS:SERIAL): `.
    #[error("it does not begin as a record does")]
    Stamp,
    /// Not `key=value`, blanks between.
    #[error("it is not keys and values")]
    Field,
    /// A key twice, or too many.
    #[error("a key comes twice, or there are too many")]
    Keys,
    /// A key that its kind always has is not there.
    #[error("it does not say all that its kind does")]
    Missing,
    /// A value that is not of its kind.
    #[error("a value is not of its kind")]
    Value,
}

/// A record that somebody here needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Records of one event have one serial.
    pub serial: u64,
    /// What it says.
    pub body: Body,
}

/// What a record says, by its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// [`LANDLOCK_ACCESS`].
    Refused {
        /// The domain that refused.
        domain: u64,
        /// The rights that were missing, as the kernel names them.
        blockers: Vec<String>,
        /// To what.
        object: Object,
    },
    /// [`LANDLOCK_DOMAIN`], when it refused for the first time.
    Domain {
        /// Its number.
        domain: u64,
        /// The user of the process that made it.
        uid: u32,
    },
    /// [`LANDLOCK_DOMAIN`], when its last process is gone.
    DomainGone {
        /// Its number.
        domain: u64,
        /// How often it refused.
        denials: u64,
    },
    /// [`SYSCALL`].
    Call(Call),
    /// [`CWD`].
    Directory(Vec<u8>),
    /// [`PATH`].
    Path {
        /// As the program gave it.
        name: Option<Vec<u8>>,
        /// Whether it is the directory above what was meant.
        parent: bool,
    },
    /// [`SECCOMP`].
    Filtered {
        /// The process.
        pid: u32,
        /// Its user.
        uid: u32,
        /// Its name.
        program: Vec<u8>,
        /// The architecture that the call was made for.
        arch: u32,
        /// The call's number.
        call: u32,
        /// The signal that ended it; 0: it got an error.
        signal: u32,
    },
    /// [`END`].
    End,
    /// Of a kind that nobody here needs; not looked at.
    Other,
}

/// What Landlock kept a program from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A path, or an abstract socket's name, which begins with a zero byte.
    Path(Vec<u8>),
    /// A port.
    Port(u16),
    /// A process, by its name.
    Process(Vec<u8>),
    /// None is named.
    Unsaid,
}

/// A system call at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The process's user.
    pub uid: u32,
    /// Its name.
    pub program: Vec<u8>,
    /// The call's number.
    pub call: u32,
    /// What it returned.
    pub exit: i64,
    /// Its first argument.
    pub first: u64,
}

impl Record {
    /// Reads a record of type `kind`.
    ///
    /// # Errors
    /// [`RecordError`]; nothing of a record that is wrong anywhere is used.
    pub fn parse(kind: u16, text: &[u8]) -> Result<Self, RecordError> {
        if text.len() > LONGEST {
            return Err(RecordError::Long);
        }
        let (serial, rest) = stamp(text)?;
        let needed = matches!(
            kind,
            SECCOMP | SYSCALL | PATH | CWD | END | LANDLOCK_ACCESS | LANDLOCK_DOMAIN
        );
        if !needed {
            let body = Body::Other;
            return Ok(Self { serial, body });
        }
        let fields = Fields::parse(rest)?;
        let body = match kind {
            LANDLOCK_ACCESS => refused(&fields)?,
            LANDLOCK_DOMAIN => domain(&fields)?,
            SYSCALL => Body::Call(Call {
                uid: fields.number("uid")?,
                program: fields.name("comm")?.unwrap_or_default(),
                call: fields.number("syscall")?,
                // Not there for a call that never returned.
                exit: fields.optional("exit")?.unwrap_or(0),
                first: fields.hexadecimal("a0")?,
            }),
            CWD => Body::Directory(fields.name("cwd")?.unwrap_or_default()),
            PATH => Body::Path {
                name: fields.name("name")?,
                parent: fields.bare("nametype")? == b"PARENT",
            },
            SECCOMP => Body::Filtered {
                pid: fields.number("pid")?,
                uid: fields.number("uid")?,
                program: fields.name("comm")?.unwrap_or_default(),
                arch: u32::try_from(fields.hexadecimal("arch")?).map_err(|_| RecordError::Value)?,
                call: fields.number("syscall")?,
                signal: fields.number("sig")?,
            },
            _ => Body::End,
        };
        Ok(Self { serial, body })
    }
}

/// `audit(1795569268.246:470): `
fn stamp(text: &[u8]) -> Result<(u64, &[u8]), RecordError> {
    let text = text.strip_prefix(b"audit(").ok_or(RecordError::Stamp)?;
    let end = find(text, b"):").ok_or(RecordError::Stamp)?;
    let (head, rest) = text.split_at_checked(end).ok_or(RecordError::Stamp)?;
    let head = str::from_utf8(head).map_err(|_| RecordError::Stamp)?;
    let (time, serial) = head.split_once(':').ok_or(RecordError::Stamp)?;
    let (seconds, millis) = time.split_once('.').ok_or(RecordError::Stamp)?;
    for digits in [seconds, millis, serial] {
        if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RecordError::Stamp);
        }
    }
    let serial = serial.parse().map_err(|_| RecordError::Stamp)?;
    Ok((serial, rest.get(2..).unwrap_or_default()))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

fn refused(fields: &Fields<'_>) -> Result<Body, RecordError> {
    let blockers = fields.bare("blockers")?;
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.');
    let blockers = blockers
        .split(|b| *b == b',')
        .map(|one| match str::from_utf8(one) {
            Ok(text) if !one.is_empty() && one.len() <= 32 && one.iter().all(word) => {
                Ok(text.to_owned())
            }
            _ => Err(RecordError::Value),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if blockers.len() > 32 {
        return Err(RecordError::Value);
    }
    let port = |key| fields.optional::<u16>(key);
    let object = if let Some(path) = fields.some_name("path")? {
        Object::Path(path)
    } else if let Some(port) = port("dest")?.or(port("src")?) {
        Object::Port(port)
    } else if let Some(program) = fields.some_name("ocomm")? {
        Object::Process(program)
    } else if let Some(name) = fields.some_name("name")? {
        Object::Path(name)
    } else {
        Object::Unsaid
    };
    Ok(Body::Refused {
        domain: fields.hexadecimal("domain")?,
        blockers,
        object,
    })
}

fn domain(fields: &Fields<'_>) -> Result<Body, RecordError> {
    let domain = fields.hexadecimal("domain")?;
    match fields.bare("status")? {
        b"allocated" => Ok(Body::Domain {
            domain,
            uid: fields.number("uid")?,
        }),
        b"deallocated" => Ok(Body::DomainGone {
            domain,
            denials: fields.number("denials")?,
        }),
        _ => Err(RecordError::Value),
    }
}

/// A value as it stands in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'r> {
    Quoted(&'r [u8]),
    Bare(&'r [u8]),
}

struct Fields<'r>(Vec<(&'r [u8], Value<'r>)>);

impl<'r> Fields<'r> {
    fn parse(text: &'r [u8]) -> Result<Self, RecordError> {
        let mut fields: Vec<(&[u8], Value<'_>)> = Vec::new();
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            let (field, after) = field(rest)?;
            if fields.len() >= FIELDS || fields.iter().any(|(key, _)| *key == field.0) {
                return Err(RecordError::Keys);
            }
            fields.push(field);
            rest = after;
        }
        Ok(Self(fields))
    }

    fn get(&self, key: &str) -> Option<Value<'r>> {
        self.0
            .iter()
            .find_map(|(known, value)| (*known == key.as_bytes()).then_some(*value))
    }

    fn bare(&self, key: &str) -> Result<&'r [u8], RecordError> {
        match self.get(key) {
            Some(Value::Bare(value)) => Ok(value),
            Some(Value::Quoted(_)) => Err(RecordError::Value),
            None => Err(RecordError::Missing),
        }
    }

    fn optional<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, RecordError> {
        let value = match self.get(key) {
            None => return Ok(None),
            Some(Value::Quoted(_)) => return Err(RecordError::Value),
            Some(Value::Bare(value)) => value,
        };
        let digits = value.strip_prefix(b"-").unwrap_or(value);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(RecordError::Value);
        }
        str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or(RecordError::Value)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, RecordError> {
        self.optional(key)?.ok_or(RecordError::Missing)
    }

    fn hexadecimal(&self, key: &str) -> Result<u64, RecordError> {
        let value = self.bare(key)?;
        if !value.iter().all(u8::is_ascii_hexdigit) {
            return Err(RecordError::Value);
        }
        str::from_utf8(value)
            .ok()
            .and_then(|text| u64::from_str_radix(text, 16).ok())
            .ok_or(RecordError::Value)
    }

    /// A hostile program's choice: quoted, or in hexadecimal, or not there.
    fn some_name(&self, key: &str) -> Result<Option<Vec<u8>>, RecordError> {
        let cut = |bytes: &[u8]| bytes.get(..bytes.len().min(NAME)).map(<[u8]>::to_vec);
        match self.get(key) {
            None | Some(Value::Bare(b"(null)" | b"(none)")) => Ok(None),
            Some(Value::Quoted(value)) => Ok(cut(value)),
            Some(Value::Bare(value)) => match hex::decode(value) {
                Ok(bytes) if !bytes.is_empty() => Ok(cut(&bytes)),
                _ => Err(RecordError::Value),
            },
        }
    }

    fn name(&self, key: &str) -> Result<Option<Vec<u8>>, RecordError> {
        match self.get(key) {
            None => Err(RecordError::Missing),
            Some(_) => self.some_name(key),
        }
    }
}

/// A field's key and value.
type Field<'a> = (&'a [u8], Value<'a>);

/// The first field of `text`, and what follows it.
fn field(text: &[u8]) -> Result<(Field<'_>, &[u8]), RecordError> {
    let equals = find(text, b"=").ok_or(RecordError::Field)?;
    let (key, value) = text.split_at_checked(equals).ok_or(RecordError::Field)?;
    let value = value.get(1..).unwrap_or_default();
    let in_key = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    if key.is_empty() || !key.iter().all(in_key) {
        return Err(RecordError::Field);
    }
    let (value, rest) = if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = find(quoted, b"\"").ok_or(RecordError::Field)?;
        let (inner, rest) = quoted.split_at_checked(end).ok_or(RecordError::Field)?;
        if !inner.iter().all(|b| (0x21..=0x7e).contains(b)) {
            return Err(RecordError::Value);
        }
        (Value::Quoted(inner), rest.get(1..).unwrap_or_default())
    } else {
        let end = find(value, b" ").unwrap_or(value.len());
        let (bare, rest) = value.split_at_checked(end).ok_or(RecordError::Field)?;
        if !bare.iter().all(|b| (0x21..=0x7e).contains(b) && *b != b'"') {
            return Err(RecordError::Value);
        }
        (Value::Bare(bare), rest)
    };
    match rest.strip_prefix(b" ") {
        Some(rest) => Ok(((key, value), rest)),
        None if rest.is_empty() => Ok(((key, value), rest)),
        None => Err(RecordError::Field),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(kind: u16, rest: &str) -> Result<Body, RecordError> {
        let text = format!("audit(1795569268.246:470): {rest}");
        Record::parse(kind, text.as_bytes()).map(|record| record.body)
    }

    fn path(rest: &str) -> Result<Object, RecordError> {
        match parse(LANDLOCK_ACCESS, rest)? {
            Body::Refused { object, .. } => Ok(object),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn records_of_this_kernel_are_understood() {
        assert_eq!(
            parse(
                LANDLOCK_ACCESS,
                "domain=19d2f2398 blockers=fs.read_file,fs.truncate path=\"/opt/x\" dev=\"vda\" ino=3"
            ),
            Ok(Body::Refused {
                domain: 0x1_9d2f_2398,
                blockers: vec!["fs.read_file".into(), "fs.truncate".into()],
                object: Object::Path(b"/opt/x".to_vec()),
            })
        );
        assert_eq!(
            path("domain=1 blockers=scope.signal opid=14015 ocomm=\"agentd\""),
            Ok(Object::Process(b"agentd".to_vec()))
        );
        assert_eq!(
            path("domain=1 blockers=net.connect_tcp daddr=127.0.0.1 dest=80"),
            Ok(Object::Port(80))
        );
        assert_eq!(
            parse(
                LANDLOCK_DOMAIN,
                "domain=19d2f2398 status=allocated mode=enforcing pid=14016 uid=600001000 \
                 exe=\"/agentd\" comm=\"agentd\""
            ),
            Ok(Body::Domain {
                domain: 0x1_9d2f_2398,
                uid: 600_001_000
            })
        );
        assert_eq!(
            parse(LANDLOCK_DOMAIN, "domain=1 status=deallocated denials=7"),
            Ok(Body::DomainGone {
                domain: 1,
                denials: 7
            })
        );
        assert_eq!(parse(END, ""), Ok(Body::End));
        assert_eq!(parse(1327, "proctitle=00"), Ok(Body::Other));
    }

    #[test]
    fn a_name_in_hexadecimal_is_its_bytes() {
        let name = b"/w/a b\n\" domain=2 blockers=fs.execute path=\"/etc";
        let text = format!("domain=1 blockers=fs.read_file path={}", hex::encode(name));
        assert_eq!(path(&text), Ok(Object::Path(name.to_vec())));
        // A name of digits only is quoted by the kernel, so what is bare is hexadecimal.
        assert_eq!(
            path("domain=1 blockers=fs.read_file path=\"4142\""),
            Ok(Object::Path(b"4142".to_vec()))
        );
    }

    #[test]
    fn what_the_kernel_does_not_write_is_refused_whole() {
        for text in [
            // A second path smuggled in by a quote, if the kernel had let it through.
            "domain=1 blockers=fs.read_file path=\"/a\" domain=2 path=\"/b\"",
            "domain=1 blockers=fs.read_file path=\"/a b\"",
            "domain=1 blockers=fs.read_file path=\"/a",
            "domain=1 blockers=fs.read_file path=\"/a\"dev=\"x\"",
            "domain=1 blockers=fs.read_file path=/a",
            "domain=1 blockers=fs.read_file path=414",
            "domain=1 blockers=fs.read_file path=",
            "domain=1 blockers=, path=\"/a\"",
            "domain=1 blockers=FS path=\"/a\"",
            "domain=\"1\" blockers=fs.execute",
            "domain=-1 blockers=fs.execute",
            "domain= blockers=fs.execute",
            "blockers=fs.execute",
            "domain=1",
            "domain=1 blockers=net.bind_tcp src=65536",
            "domain=1  blockers=fs.execute",
            "domain",
        ] {
            assert!(path(text).is_err(), "{text}");
        }
        for stamp in [
            "",
            "audit(1.2:3)",
            "audit(1.2): ",
            "audit(1:3): ",
            "audit(1.2:x): ",
            "audit(1.2:99999999999999999999999): ",
        ] {
            let text = format!("{stamp}domain=1 blockers=fs.execute");
            assert!(
                Record::parse(LANDLOCK_ACCESS, text.as_bytes()).is_err(),
                "{text}"
            );
        }
        let long = vec![b'a'; LONGEST + 1];
        assert_eq!(Record::parse(END, &long), Err(RecordError::Long));
    }

    proptest! {
        #[test]
        fn any_name_comes_back_and_says_nothing_else(name in prop::collection::vec(any::<u8>(), 1..300)) {
            let plain = name.iter().all(|b| (0x21..=0x7e).contains(b) && *b != b'"');
            let written = if plain {
                format!("\"{}\"", str::from_utf8(&name).unwrap())
            } else {
                hex::encode_upper(&name)
            };
            let text = format!("domain=1 blockers=fs.read_file path={written} dev=\"x\" ino=1");
            prop_assert_eq!(path(&text), Ok(Object::Path(name)));
        }

        #[test]
        fn no_bytes_are_a_panic(kind in 1300u16..1430, text in prop::collection::vec(any::<u8>(), 0..400)) {
            let _any = Record::parse(kind, &text);
            let stamped = [b"audit(1.2:3): ".as_slice(), &text].concat();
            let _any = Record::parse(kind, &stamped);
        }
    }
}
