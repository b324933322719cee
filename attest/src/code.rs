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
    ARTIFACTS_NAME = "artifacts.name",
        "A job's artifact manifest has a name that is no plain relative path.",
        "Do not rely on the job's artifacts, and write none of them to disk.";
    ARTIFACTS_TWICE = "artifacts.twice",
        "The evidence carries two artifact manifests of one job.",
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
    ENROLMENT_OTHER = "enrolment.other",
        "The evidence is of another appliance than the enrolment record.",
        "Give the enrolment record of the appliance that answered.";
    ENROLMENT_DEVELOPMENT = "enrolment.development",
        "The appliance was enrolled as a development stand.",
        "For a trial, accept it with --accept-development; otherwise enrol a real appliance.";
    EK_MALFORMED = "ek.malformed",
        "The enrolled endorsement key cannot be read or is of a kind that is not allowed.",
        "Enrol the appliance again.";
    EK_OTHER = "ek.other",
        "The evidence carries another endorsement key than the enrolled one: another TPM.",
        "Find out why the TPM changed; a new TPM is a new enrolment.";
    EK_CERTIFICATE = "ek.certificate",
        "The evidence carries another endorsement certificate than the enrolled one.",
        "Find out why it changed; a new TPM is a new enrolment.";
    AK_MALFORMED = "ak.malformed",
        "The enrolled attestation key cannot be read or is of a kind that is not allowed.",
        "Enrol the appliance again.";
    AK_ATTRIBUTES = "ak.attributes",
        "The attestation key could sign what its TPM did not make, or leave it.",
        "Do not rely on the appliance; enrol it again with a restricted key.";
    AK_SCHEME = "ak.scheme",
        "The attestation key has no signing scheme of its own.",
        "Enrol the appliance again with a key that has one.";
    AK_OTHER = "ak.other",
        "The evidence carries another attestation key than the enrolled one.",
        "Find out why it changed; a new key is a new enrolment.";
    CHALLENGE_ABSENT = "challenge.absent",
        "No challenge was given, so the evidence may be old.",
        "Send a challenge in and verify its answer with --challenge.";
    CHALLENGE_OTHER = "challenge.other",
        "The evidence answers another challenge, or none.",
        "Ask for evidence with the challenge that you made.";
    CHALLENGE_EXPIRED = "challenge.expired",
        "The answer came after the challenge had expired.",
        "Make a new challenge.";
    CHALLENGE_FUTURE = "challenge.future",
        "The challenge was made later than now by the verifier's clock.",
        "Set the verifier's clock.";
    ACTIVATION_UNPROVEN = "activation.unproven",
        "Nothing proves that the attestation key is in the TPM of the endorsement key.",
        "Make the challenge with --enrolment, and verify with its secret file.";
    ACTIVATION_ENROLMENT = "activation.enrolment",
        "The challenge's credential was made for another appliance.",
        "Make a challenge for this appliance.";
    ACTIVATION_WRONG = "activation.wrong",
        "The TPM did not open the challenge's credential.",
        "Treat the keys as those of two TPMs; do not rely on the appliance.";
    RELEASE_EXPIRED = "release.expired",
        "Trust in the release that the appliance runs has ended.",
        "Update the appliance.";
    RELEASE_DEVELOPMENT = "release.development",
        "The appliance runs a development release, whose key is in everyone's hands.",
        "For a trial, accept it with --accept-development; otherwise install a release.";
    QUOTE_COUNT = "quote.count",
        "The evidence has no quote, or more than one.",
        "Ask the appliance for new evidence.";
    QUOTE_MALFORMED = "quote.malformed",
        "The quote or its signature is not the TPM's structure, to the last byte.",
        "Treat the evidence as forged.";
    QUOTE_MAGIC = "quote.magic",
        "What was signed was not made by a TPM.",
        "Treat the evidence as forged.";
    QUOTE_KIND = "quote.kind",
        "The TPM attested something else than a quote.",
        "Treat the evidence as forged.";
    QUOTE_SCHEME = "quote.scheme",
        "The signature's algorithm and hash are not those of the key.",
        "Treat the evidence as forged.";
    QUOTE_SIGNATURE = "quote.signature",
        "The quote's signature does not hold for the enrolled attestation key.",
        "Treat the evidence as forged.";
    QUOTE_SPELLING = "quote.spelling",
        "The quote's signature was rewritten into another spelling (n - s).",
        "Treat the evidence as tampered with on its way.";
    QUOTE_SIGNER = "quote.signer",
        "The signing key does not stand in the endorsement hierarchy.",
        "Enrol the appliance again with an attestation key of that hierarchy.";
    QUOTE_QUALIFYING = "quote.qualifying",
        "The quote was made for another evidence: a member was altered or exchanged.",
        "Treat the evidence as forged or altered; ask for new evidence.";
    QUOTE_SELECTION = "quote.selection",
        "The quote does not cover exactly the registers of the policy.",
        "Treat the evidence as forged.";
    QUOTE_REGISTERS = "quote.registers",
        "The register values are not of exactly the quoted registers.",
        "Treat the evidence as forged.";
    QUOTE_DIGEST = "quote.digest",
        "The register values are not those that were quoted.",
        "Treat the evidence as forged.";
    QUOTE_EMPTY = "quote.empty",
        "The quoted bank of registers is not in use.",
        "Enable the SHA-256 bank in the firmware, then enrol again.";
    LOG_MALFORMED = "log.malformed",
        "An event log is not in the TCG's crypto-agile form.",
        "Ask for new evidence; if it stays so, the firmware's log is damaged.";
    LOG_LOCALITY = "log.locality",
        "A startup locality stands where it may not, or has a value that it may not.",
        "Treat the log as forged.";
    LOG_BANK = "log.bank",
        "An event log has no SHA-256 digests.",
        "Enable the SHA-256 bank in the firmware, then enrol again.";
    LOG_PAYLOAD = "log.payload",
        "An event's payload is not the one that was digested.",
        "Treat the log as forged.";
    LOG_FIRMWARE = "log.firmware",
        "The firmware log's events do not lead to a quoted register.",
        "Treat the log as edited or cut; ask for new evidence.";
    LOG_RUNTIME = "log.runtime",
        "The runtime log's events do not lead to a quoted register.",
        "Treat the log as edited or cut; ask for new evidence.";
    LOG_ABSENT = "log.absent",
        "A register was extended, and no log has an event for it.",
        "Treat the logs as cut, or the register as extended by a stranger.";
    REGISTER_EVENT = "register.event",
        "Something else was measured than the release has.",
        "Find out what changed; do not rely on the appliance meanwhile.";
    REGISTER_TYPE = "register.type",
        "An event of the log is given out as another kind than the release has.",
        "Treat the log as forged.";
    REGISTER_MISSING = "register.missing",
        "Something that the release has was never measured.",
        "Find out what changed; do not rely on the appliance meanwhile.";
    REGISTER_EXTRA = "register.extra",
        "Something was measured that the release does not have.",
        "Find out what changed; do not rely on the appliance meanwhile.";
    REGISTER_PLATFORM = "register.platform",
        "A register of the platform is not as it was at enrolment.",
        "If firmware or hardware was changed on purpose, enrol again.";
    REGISTER_UNKNOWN = "register.unknown",
        "Nothing says what a quoted register must be.",
        "Take the manifest of the installed release from its publisher.";
    LOG_KEY_MALFORMED = "log-key.malformed",
        "The TPM's log key cannot be read.",
        "Ask for new evidence.";
    LOG_KEY_ATTEST = "log-key.attest",
        "The log key's certification is no certification by a TPM.",
        "Treat the evidence as forged.";
    LOG_KEY_SIGNATURE = "log-key.signature",
        "The log key's certification is not signed by the attestation key.",
        "Treat the evidence as forged.";
    LOG_KEY_QUALIFYING = "log-key.qualifying",
        "The log key was certified for another enrolment.",
        "Treat the evidence as forged.";
    LOG_KEY_NAME = "log-key.name",
        "Another key than the log key was certified.",
        "Treat the evidence as forged.";
    LOG_KEY_ATTRIBUTES = "log-key.attributes",
        "The log key may leave its TPM or does more than sign.",
        "Do not rely on the audit log's cosignatures.";
    AUDIT_HEAD_KEY = "audit.head-key",
        "The audit log's key is not the enrolled one.",
        "Treat the audit log as exchanged; find out why.";
    AUDIT_COSIGNATURE = "audit.cosignature",
        "The TPM's cosignature of the audit checkpoint does not hold.",
        "Treat the checkpoint as forged.";
    AUDIT_SHORT = "audit.short",
        "The audit export ends before the evidence's checkpoint, or is of another log.",
        "Export the log again, after the evidence was made.";
    AUDIT_FORK = "audit.fork",
        "The audit export's entries are not those that the evidence vouches for.",
        "Treat the log as rewritten.";
    CLOCK_OTHER = "clock.other",
        "The TPM clock that the evidence states is not the one that the TPM signed.",
        "Ask for new evidence.";
    CLOCK_UNSAFE = "clock.unsafe",
        "The TPM lost power without an orderly shutdown; its clock may have gone back a little.",
        "Nothing, unless it happens often.";
    VERDICT_UNJUDGED = "verdict.unjudged",
        "A check could not be made because one before it failed.",
        "See the check that failed.";
    VERDICT_INCOMPLETE = "verdict.incomplete",
        "The verdict lacks a check.",
        "This is a fault of the program: report it.";
    FILE_UNREADABLE = "file.unreadable",
        "A file cannot be read.",
        "Check its name and that you may read it.";
    FILE_UNWRITABLE = "file.unwritable",
        "A file or the output cannot be written.",
        "Check the folder, its rights and its space; an existing file is never overwritten.";
    KEY_MALFORMED = "key.malformed",
        "A key file cannot be read as the kind of key that is wanted.",
        "Give an Ed25519 key for owner and log, a P-256 key for the release, as PEM.";
    RANDOM_UNAVAILABLE = "random.unavailable",
        "The system gives no random bytes.",
        "This is a fault of the system: use another machine.";
    CODE_UNKNOWN = "code.unknown",
        "There is no such code in this program.",
        "List all codes with `attest explain`.";
    CREDENTIAL_EK = "credential.ek",
        "No credential can be made for the enrolled endorsement key.",
        "Enrol the appliance with a P-256 endorsement key, or challenge it without --enrolment.";
    MEMBER_DIGESTS = "member.digests",
        "The list of the members' digests was altered.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_FORMAT = "member.format",
        "The evidence's format name was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_CHALLENGE = "member.challenge",
        "The evidence's challenge was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_ENROLMENT = "member.enrolment",
        "The evidence's enrolment name was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_EK_PUBLIC = "member.ek_public",
        "The evidence's endorsement key was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_EK_CERTIFICATE = "member.ek_certificate",
        "The evidence's endorsement certificate was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_AK_PUBLIC = "member.ak_public",
        "The evidence's attestation key was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_ACTIVATION = "member.activation",
        "The evidence's activation answer was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_RELEASE = "member.release",
        "The evidence's release manifest was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_FIRMWARE_LOG = "member.firmware_log",
        "The evidence's firmware log was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_RUNTIME_LOG = "member.runtime_log",
        "The evidence's runtime log was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_LOG_KEY = "member.log_key",
        "The evidence's log key was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_AUDIT = "member.audit",
        "The evidence's audit head was altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_ARTIFACTS = "member.artifacts",
        "The evidence's artifact manifests were altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_CLOCK = "member.clock",
        "The evidence's clocks were altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
    MEMBER_STATEMENTS = "member.statements",
        "The evidence's statements were altered after the appliance made it.",
        "Treat the evidence as altered on its way; ask for it again.";
}

/// The code of each altered member, in the order of [`crate::evidence::MEMBERS`].
pub const MEMBER_CODES: [&Code; 15] = [
    &MEMBER_FORMAT,
    &MEMBER_CHALLENGE,
    &MEMBER_ENROLMENT,
    &MEMBER_EK_PUBLIC,
    &MEMBER_EK_CERTIFICATE,
    &MEMBER_AK_PUBLIC,
    &MEMBER_ACTIVATION,
    &MEMBER_RELEASE,
    &MEMBER_FIRMWARE_LOG,
    &MEMBER_RUNTIME_LOG,
    &MEMBER_LOG_KEY,
    &MEMBER_AUDIT,
    &MEMBER_ARTIFACTS,
    &MEMBER_CLOCK,
    &MEMBER_STATEMENTS,
];
