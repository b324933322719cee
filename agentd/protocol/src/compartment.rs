//! Between agentd and a job's three compartments, one socket pair each, on
//! descriptor 3 of the compartment.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::action::{Action, Area, Outcome};
use crate::lease::Diagnosis;

/// agentd to the interpreter, once, first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ScriptSetup {
    /// Run the workflow.
    #[n(0)]
    Run {
        /// Canonical bytes of the `Bundle`.
        #[n(0)]
        bundle: ByteVec,
        /// Parameters of the job with defaults filled in.
        #[n(1)]
        parameters: Vec<(String, String)>,
        /// Names of the inputs.
        #[n(2)]
        inputs: Vec<String>,
        /// Milliseconds the script has.
        #[n(3)]
        deadline_ms: u64,
    },
    /// Only check it; answered by [`FromScript::Checked`].
    #[n(1)]
    Check {
        /// Canonical bytes of the `Bundle`.
        #[n(0)]
        bundle: ByteVec,
    },
    /// Compare a spreadsheet, mounted read-only at this path, with these rows;
    /// answered by [`FromScript::Sheet`]. Only in a fresh `strict` sandbox.
    #[n(2)]
    VerifySheet {
        /// Path inside the sandbox.
        #[n(0)]
        path: String,
        /// Expected rows, see `Action::VerifySheet`.
        #[n(1)]
        rows: Vec<Vec<String>>,
    },
}

/// The interpreter to agentd.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FromScript {
    /// Please do this; one at a time, answered by [`ToScript`].
    #[n(0)]
    Act {
        /// Ascending from 1.
        #[n(0)]
        number: u64,
        /// What.
        #[n(1)]
        action: Action,
    },
    /// The workflow came to its end.
    #[n(1)]
    Finished,
    /// The workflow failed.
    #[n(2)]
    Failed {
        /// Stable code, such as `script.failed` or `script.error`.
        #[n(0)]
        code: String,
        /// One sentence, with file and line where known.
        #[n(1)]
        message: String,
    },
    /// Result of a check.
    #[n(3)]
    Checked {
        /// Empty if fine.
        #[n(0)]
        diagnoses: Vec<Diagnosis>,
    },
    /// Result of a sheet comparison.
    #[n(4)]
    Sheet {
        /// `None` if equal, else the first difference.
        #[n(0)]
        difference: Option<String>,
        /// Rows compared.
        #[n(1)]
        rows: u32,
    },
}

/// agentd to the interpreter: the answer to one action.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ToScript {
    /// The action's number.
    #[n(0)]
    pub number: u64,
    /// What came of it.
    #[n(1)]
    pub outcome: Outcome,
}

/// agentd to the eyes and hands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToHands {
    /// Connect to the display and the accessibility bus under `/run/desk`.
    #[n(0)]
    Connect,
    /// Perform one action of those for which `Action::is_for_hands` holds.
    #[n(1)]
    Act {
        /// Ascending from 1.
        #[n(0)]
        number: u64,
        /// What.
        #[n(1)]
        action: Action,
        /// Milliseconds it may take.
        #[n(2)]
        deadline_ms: u64,
        /// Whether a screenshot shall come with the answer.
        #[n(3)]
        picture: bool,
    },
}

/// The eyes and hands to agentd.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FromHands {
    /// Connected; the screen's size.
    #[n(0)]
    Ready {
        /// Pixels.
        #[n(0)]
        width: u32,
        /// Pixels.
        #[n(1)]
        height: u32,
    },
    /// The answer to one action.
    #[n(1)]
    Done {
        /// The action's number.
        #[n(0)]
        number: u64,
        /// What came of it.
        #[n(1)]
        outcome: Outcome,
        /// Where on the screen, if somewhere.
        #[n(2)]
        area: Option<Area>,
        /// PNG of the whole screen, if asked for.
        #[n(3)]
        picture: Option<ByteVec>,
    },
    /// Could not connect or lost the display.
    #[n(2)]
    Broken {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
}

/// agentd to the session process of the desktop compartment.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToSession {
    /// Start display, window manager and accessibility bus.
    #[n(0)]
    Start {
        /// Pixels.
        #[n(0)]
        width: u32,
        /// Pixels.
        #[n(1)]
        height: u32,
    },
    /// Start a program.
    #[n(1)]
    Open {
        /// Name of the application, for `Close`.
        #[n(0)]
        app: String,
        /// Program and arguments, absolute path first.
        #[n(1)]
        argv: Vec<String>,
    },
    /// End every process of an application and wait until it is gone.
    #[n(2)]
    Close {
        /// The application.
        #[n(0)]
        app: String,
    },
}

/// The session process to agentd. Each request is answered once, in order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FromSession {
    /// The desktop is up; applications may be opened.
    #[n(0)]
    Ready,
    /// The program was started or ended.
    #[n(1)]
    Done,
    /// It could not be.
    #[n(2)]
    Failed {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
}
