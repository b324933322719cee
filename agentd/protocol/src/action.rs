//! The action vocabulary: everything a workflow can ask for, and what comes back.
//!
//! An action is a request, never a permission. Text in an outcome was seen on a
//! screen or read from a document: it is a claim of whoever made that screen.

use minicbor::{Decode, Encode};

/// The kind of an action; grants name kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Verb {
    /// Start an application of the pack.
    #[n(0)]
    Open,
    /// Close an application that this job opened.
    #[n(1)]
    Close,
    /// Wait until something is visible.
    #[n(2)]
    Wait,
    /// Press a mouse button on something.
    #[n(3)]
    Click,
    /// Type text, read back.
    #[n(4)]
    Type,
    /// Press key chords.
    #[n(5)]
    Keys,
    /// Read an accessible element or the screen.
    #[n(6)]
    Read,
    /// Write or read a spreadsheet cell.
    #[n(7)]
    Cell,
    /// List, read or write workspace files.
    #[n(8)]
    Files,
    /// Keep a screenshot.
    #[n(9)]
    Screenshot,
    /// Have a saved file checked in a fresh strict sandbox.
    #[n(10)]
    Verify,
}

impl Verb {
    /// Every verb, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Open,
        Self::Close,
        Self::Wait,
        Self::Click,
        Self::Type,
        Self::Keys,
        Self::Read,
        Self::Cell,
        Self::Files,
        Self::Screenshot,
        Self::Verify,
    ];

    /// The word that grants and documents use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Wait => "wait",
            Self::Click => "click",
            Self::Type => "type",
            Self::Keys => "keys",
            Self::Read => "read",
            Self::Cell => "cell",
            Self::Files => "files",
            Self::Screenshot => "screenshot",
            Self::Verify => "verify",
        }
    }

    /// The verb of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }

    /// Whether the action changes what an application holds, so that it is
    /// written to the journal before it has effect.
    pub fn acts(self) -> bool {
        matches!(
            self,
            Self::Open
                | Self::Close
                | Self::Click
                | Self::Type
                | Self::Keys
                | Self::Cell
                | Self::Files
        )
    }
}

/// A rectangle on the screen, in pixels from the top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Area {
    /// Left edge.
    #[n(0)]
    pub x: i32,
    /// Top edge.
    #[n(1)]
    pub y: i32,
    /// Width.
    #[n(2)]
    pub w: i32,
    /// Height.
    #[n(3)]
    pub h: i32,
}

/// What to look for on the desktop.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Target {
    /// An accessible element by name, optionally by role (AT-SPI role name such
    /// as `push button`) and by the title of its window.
    #[n(0)]
    Element {
        /// Exact accessible name.
        #[n(0)]
        name: String,
        /// AT-SPI role name.
        #[n(1)]
        role: Option<String>,
        /// Part of the title of the window that holds it.
        #[n(2)]
        window: Option<String>,
    },
    /// Text read from pixels; compared without spaces.
    #[n(1)]
    Text {
        /// The text.
        #[n(0)]
        text: String,
        /// Where to look; the whole screen if absent.
        #[n(1)]
        within: Option<Area>,
    },
    /// A window whose title contains this text.
    #[n(2)]
    Window {
        /// Part of the title.
        #[n(0)]
        title: String,
    },
}

/// A mouse button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Button {
    /// Left.
    #[n(0)]
    Left,
    /// Middle.
    #[n(1)]
    Middle,
    /// Right.
    #[n(2)]
    Right,
}

/// What a workflow asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Action {
    /// Start an application of the pack by its name in the pack's list.
    #[n(0)]
    Open {
        /// Name in the pack's application list.
        #[n(0)]
        app: String,
        /// Workspace-relative files to open with it.
        #[n(1)]
        files: Vec<String>,
    },
    /// End an application that this job opened (its whole process tree).
    #[n(1)]
    Close {
        /// Name in the pack's application list.
        #[n(0)]
        app: String,
    },
    /// Wait until the target is visible.
    #[n(2)]
    Wait {
        /// What to wait for.
        #[n(0)]
        target: Target,
        /// How long, in milliseconds.
        #[n(1)]
        timeout_ms: u32,
        /// True: wait until it is gone instead.
        #[n(2)]
        gone: bool,
    },
    /// Click the target, which must be unique.
    #[n(3)]
    Click {
        /// What to click.
        #[n(0)]
        target: Target,
        /// Which button.
        #[n(1)]
        button: Button,
        /// How often, 1 to 3.
        #[n(2)]
        count: u8,
    },
    /// Type text into what has the focus, or into the target, and read it back.
    #[n(4)]
    Type {
        /// The text.
        #[n(0)]
        text: String,
        /// Where; what has the focus if absent.
        #[n(1)]
        into: Option<Target>,
    },
    /// Press key chords such as `ctrl+s`, in order.
    #[n(5)]
    Keys {
        /// The chords.
        #[n(0)]
        chords: Vec<String>,
    },
    /// Read the text of an accessible element.
    #[n(6)]
    Read {
        /// Which element.
        #[n(0)]
        target: Target,
    },
    /// Read lines of text from the pixels of the screen.
    #[n(7)]
    ReadScreen {
        /// Where; the whole screen if absent.
        #[n(0)]
        within: Option<Area>,
    },
    /// Put text into a spreadsheet cell by the name box and read it back.
    #[n(8)]
    SetCell {
        /// Such as `B7`.
        #[n(0)]
        cell: String,
        /// Exactly what the entry line shall hold.
        #[n(1)]
        text: String,
    },
    /// Read a spreadsheet cell by the name box and the entry line.
    #[n(9)]
    GetCell {
        /// Such as `B7`.
        #[n(0)]
        cell: String,
    },
    /// Names of the files of a workspace folder (`in` or `out`).
    #[n(10)]
    ListFiles {
        /// The folder.
        #[n(0)]
        folder: String,
    },
    /// Text of a workspace file.
    #[n(11)]
    ReadFile {
        /// Workspace-relative path.
        #[n(0)]
        path: String,
    },
    /// Write a text file under `out/`.
    #[n(12)]
    WriteFile {
        /// Workspace-relative path.
        #[n(0)]
        path: String,
        /// Its text.
        #[n(1)]
        text: String,
    },
    /// Copy a file of the pack's templates (`blank.xlsx`) to a path under `out/`.
    #[n(13)]
    Template {
        /// Template's name in the pack.
        #[n(0)]
        name: String,
        /// Workspace-relative path.
        #[n(1)]
        path: String,
    },
    /// Keep a screenshot as an artifact.
    #[n(14)]
    Screenshot {
        /// What it shows.
        #[n(0)]
        label: String,
    },
    /// Check a saved spreadsheet in a fresh strict sandbox: the first sheet must
    /// hold exactly these rows, from A1 on.
    #[n(15)]
    VerifySheet {
        /// Workspace-relative path.
        #[n(0)]
        path: String,
        /// Expected cells as text; numbers compare as decimals.
        #[n(1)]
        rows: Vec<Vec<String>>,
    },
    /// A line for the job's log.
    #[n(16)]
    Log {
        /// The line.
        #[n(0)]
        text: String,
    },
    /// Something that a person must look at; the job goes on.
    #[n(17)]
    Finding {
        /// Which item it is about.
        #[n(0)]
        item: String,
        /// What was found.
        #[n(1)]
        text: String,
    },
    /// A row of the job's result, by column name.
    #[n(18)]
    Row {
        /// Column names and values, in order.
        #[n(0)]
        cells: Vec<(String, String)>,
    },
}

impl Action {
    /// The kind that a grant must name; `None` for what every workflow may do
    /// (log, finding, row).
    pub fn verb(&self) -> Option<Verb> {
        Some(match self {
            Self::Open { .. } => Verb::Open,
            Self::Close { .. } => Verb::Close,
            Self::Wait { .. } => Verb::Wait,
            Self::Click { .. } => Verb::Click,
            Self::Type { .. } => Verb::Type,
            Self::Keys { .. } => Verb::Keys,
            Self::Read { .. } | Self::ReadScreen { .. } => Verb::Read,
            Self::SetCell { .. } | Self::GetCell { .. } => Verb::Cell,
            Self::ListFiles { .. }
            | Self::ReadFile { .. }
            | Self::WriteFile { .. }
            | Self::Template { .. } => Verb::Files,
            Self::Screenshot { .. } => Verb::Screenshot,
            Self::VerifySheet { .. } => Verb::Verify,
            Self::Log { .. } | Self::Finding { .. } | Self::Row { .. } => return None,
        })
    }

    /// Whether `hands` performs it; the others agentd serves itself.
    pub fn is_for_hands(&self) -> bool {
        matches!(
            self,
            Self::Wait { .. }
                | Self::Click { .. }
                | Self::Type { .. }
                | Self::Keys { .. }
                | Self::Read { .. }
                | Self::ReadScreen { .. }
                | Self::SetCell { .. }
                | Self::GetCell { .. }
                | Self::Screenshot { .. }
        )
    }
}

/// A line of text read from pixels.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Line {
    /// The text as read; spaces are unreliable.
    #[n(0)]
    pub text: String,
    /// Where it stands on the screen.
    #[n(1)]
    pub area: Area,
    /// The lowest character confidence, in thousandths.
    #[n(2)]
    pub confidence: u16,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// Done, nothing to say.
    #[n(0)]
    Done,
    /// Text that was read.
    #[n(1)]
    Text(#[n(0)] String),
    /// Lines that were read from pixels.
    #[n(2)]
    Lines(#[n(0)] Vec<Line>),
    /// File names.
    #[n(3)]
    Names(#[n(0)] Vec<String>),
    /// Not performed or not successful; nothing was guessed.
    #[n(4)]
    Failed {
        /// A stable code, `area.reason`.
        #[n(0)]
        code: String,
        /// One sentence with expected and found.
        #[n(1)]
        message: String,
    },
}
