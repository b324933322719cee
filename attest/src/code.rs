//! Every stable code of the verifier and its formats, with what it means and what to do next.
//!
//! docs/errors.md and `attest explain` are made from this list; it is the one place for these
//! sentences.

/// A stable code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `area.reason`; never reused for another meaning.
    pub id: &'static str,
    /// What it means, one plain sentence.
    pub what: &'static str,
    /// What the operator does next.
    pub next: &'static str,
}

/// The code with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.id == id)
}

macro_rules! codes {
    ($($name:ident = $id:literal, $what:literal, $next:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $what)]
            pub const $name: Code = Code { id: $id, what: $what, next: $next };
        )*
        /// Every code, in the order of this file.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    FORMAT_MALFORMED = "format.malformed",
        "The bytes are not the canonical CBOR of the format.",
        "Copy the file again; if it stays so, the side that wrote it is at fault.";
    FORMAT_TOO_LARGE = "format.too-large",
        "The file is larger than its format allows.",
        "Check that the right file was given.";
    FORMAT_UNKNOWN = "format.unknown",
        "The file is of another kind or of a version that this program does not read.",
        "Check that the right file was given, or use the program of that version.";
    FORMAT_MEMBER = "format.member",
        "A member is too long or has a value that the format forbids.",
        "Copy the file again; if it stays so, the side that wrote it is at fault.";
    ENVELOPE_KEY = "envelope.key",
        "The document names another key than the trusted one as its signer.",
        "Check that the right public key was given.";
    ENVELOPE_SIGNATURE = "envelope.signature",
        "The document's signature does not hold for the trusted key.",
        "Treat the document as forged or damaged; get it again from its signer.";
    CHECKPOINT_MALFORMED = "checkpoint.malformed",
        "The checkpoint is not a signed note with five lines as C2SP writes it.",
        "Copy the checkpoint again, byte for byte.";
    CHECKPOINT_ORIGIN = "checkpoint.origin",
        "The checkpoint is of another log.",
        "Check which appliance's log was asked for.";
    CHECKPOINT_KEY = "checkpoint.key",
        "The checkpoint was signed by another key than the log's.",
        "Check that the right key was given; if so, treat the checkpoint as forged.";
    CHECKPOINT_SIGNATURE = "checkpoint.signature",
        "The checkpoint's signature does not hold.",
        "Treat the checkpoint as forged or damaged.";
    AUDIT_HEADER = "audit.header",
        "The audit export's header is damaged.",
        "Export the log again; if it stays so, treat the log as damaged.";
    AUDIT_ENTRY = "audit.entry",
        "The named entry of the audit export was changed.",
        "Treat the log as edited from that entry on; compare with an older export.";
    AUDIT_ORDER = "audit.order",
        "An entry of the audit export stands in another place than its number says.",
        "Treat the log as edited; compare with an older export.";
    AUDIT_CHECKPOINT = "audit.checkpoint",
        "The audit export's final checkpoint is damaged or does not hold.",
        "Export the log again; if it stays so, treat the log as forged.";
    AUDIT_KEY = "audit.key",
        "The log's key in the audit export is damaged or not the trusted one.",
        "Check that the right key was given; if so, treat the log as forged.";
    AUDIT_TRAILING = "audit.trailing",
        "Bytes follow the last item of the audit export.",
        "Copy the file again.";
    AUDIT_ROOT = "audit.root",
        "The entries of the audit export are not those that its checkpoint signs for.",
        "Treat the log as rewritten; compare with an older export.";
    ARTIFACTS_MALFORMED = "artifacts.malformed",
        "A job's artifact manifest cannot be read.",
        "Fetch the manifest again.";
    ARTIFACTS_SIGNATURE = "artifacts.signature",
        "A job's artifact manifest is not signed by the appliance's log key.",
        "Do not rely on the job's artifacts.";
    ARTIFACTS_ROOT = "artifacts.root",
        "A job's artifact manifest names a root that its items do not have.",
        "Do not rely on the job's artifacts.";
    ARTIFACTS_ORDER = "artifacts.order",
        "A job's artifact manifest lists an artifact twice or out of order.",
        "Do not rely on the job's artifacts.";
    ENROLMENT_MALFORMED = "enrolment.malformed",
        "The enrolment record or request cannot be read.",
        "Check that the right file was given.";
    ENROLMENT_SIGNATURE = "enrolment.signature",
        "The enrolment record is not signed by the owner's key that was given.",
        "Check the owner's key; if it is right, treat the record as forged.";
    ENROLMENT_NAME = "enrolment.name",
        "The enrolment record is not named by its endorsement key.",
        "Treat the record as forged.";
    RELEASE_MALFORMED = "release.malformed",
        "The release manifest cannot be read.",
        "Take the manifest of the installed release from its publisher.";
    RELEASE_KEY = "release.key",
        "The release manifest names another release key than the trusted one.",
        "Check that the right release key was given.";
    RELEASE_SIGNATURE = "release.signature",
        "The release manifest's signature does not hold for the trusted release key.",
        "Treat the manifest as forged; take the release from its publisher.";
}
