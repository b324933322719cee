//! What the reader tells agentd: facts, already cut to size.

use minicbor::{Decode, Encode};

/// Longest frame either way.
pub const FRAME: usize = 4096;

/// From the reader.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FromReader {
    /// It is confined and listens.
    #[n(0)]
    Ready,
    /// Something was denied.
    #[n(1)]
    Seen {
        /// To whom, in the numbering of the range: 0 is agentd's own.
        #[n(0)]
        uid: u32,
        /// What.
        #[n(1)]
        fact: Fact,
        /// How often since it was last told.
        #[n(2)]
        count: u64,
    },
    /// So many more denials of Landlock than were seen, by the kernel's own count.
    #[n(2)]
    Unseen {
        /// To whom.
        #[n(0)]
        uid: u32,
        /// How many.
        #[n(1)]
        count: u64,
    },
    /// Records were lost on the way here, whoever they were about.
    #[n(3)]
    Lost {
        /// At least so many.
        #[n(0)]
        count: u64,
    },
    /// All that was denied before that [`ToReader::Flush`] was told.
    #[n(4)]
    Flushed {
        /// Its number.
        #[n(0)]
        number: u64,
    },
}

/// To the reader.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToReader {
    /// Say when everything up to now was told.
    #[n(0)]
    Flush {
        /// Comes back.
        #[n(0)]
        number: u64,
    },
}

/// A denial as a layer tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Fact {
    /// The program's name: its own choice, made printable.
    #[n(0)]
    pub program: String,
    /// What was denied.
    #[n(1)]
    pub what: What,
}

/// What was denied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum What {
    /// Landlock: rights on a path.
    #[n(0)]
    Path {
        /// Inside, made printable.
        #[n(0)]
        path: String,
        /// The rights, as the kernel names them.
        #[n(1)]
        rights: Vec<String>,
    },
    /// Landlock: a TCP port.
    #[n(1)]
    Port {
        /// The port.
        #[n(0)]
        port: u16,
        /// To listen at it, not to connect.
        #[n(1)]
        listen: bool,
    },
    /// Landlock: something beyond the sandbox's border.
    #[n(2)]
    Border {
        /// The right, as the kernel names it.
        #[n(0)]
        right: String,
        /// A process's or a socket's name, made printable.
        #[n(1)]
        name: String,
    },
    /// Seccomp: a system call.
    #[n(3)]
    Call {
        /// Its number.
        #[n(0)]
        number: u32,
        /// It was made for another architecture than the machine's.
        #[n(1)]
        foreign: bool,
        /// The program was ended for it.
        #[n(2)]
        killed: bool,
    },
    /// A system call that failed as another layer makes it fail.
    #[n(4)]
    Errno {
        /// The error.
        #[n(0)]
        errno: i32,
        /// The call's number.
        #[n(1)]
        number: u32,
        /// What it was about, if it names a path; made printable.
        #[n(2)]
        path: Option<String>,
    },
}

/// Bytes of a stranger as text that is safe to print: control characters,
/// backslashes and what is not UTF-8 are escaped.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' || is_unseen(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Characters that change how others are shown.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_act_on_a_terminal_or_look_like_another() {
        assert_eq!(printable(b"/a b"), "/a b");
        assert_eq!(printable(b"/a\n\x1b[2J"), "/a\\n\\u{1b}[2J");
        assert_eq!(printable(b"\\n"), "\\\\n");
        assert_eq!(printable(b"\xff\xc3\xa4"), "\\xff\u{e4}");
        assert_eq!(printable("\u{202e}x".as_bytes()), "\\u{202e}x");
    }
}
