//! The stable error codes of the image builder, for `docs/errors.md`.

/// One stable error code: what an operator can look up in `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `area.reason`, never reused for another meaning.
    pub id: &'static str,
    /// One sentence: what it means.
    pub what: &'static str,
    /// One sentence: what to do next.
    pub next: &'static str,
}

/// A file of the builder could not be read or written.
pub const FILE: Code = Code {
    id: "image.file",
    what: "A file that the builder needs could not be read or written.",
    next: "Read the path and the system's reason in the message; free space or correct the permissions, then run again.",
};

/// A committed recipe, lock or strip list is malformed.
pub const RECIPE: Code = Code {
    id: "image.recipe-malformed",
    what: "A recipe, lock or strip list under image/packs is malformed.",
    next: "Correct the line that the message names.",
};

/// A program of the build host is missing or failed.
pub const TOOL: Code = Code {
    id: "image.tool-failed",
    what: "A program of the build host is missing or ended with an error.",
    next: "Read the end of its output in the message; `make` installs the packages in ci/debian-packages.txt.",
};

/// The machine's apt configuration names no usable mirror.
pub const NO_MIRROR: Code = Code {
    id: "image.no-mirror",
    what: "The apt configuration of this machine names no Debian archive to build a pack from.",
    next: "Configure an apt source of the Debian archive and its security archive, then run again.",
};

/// The mirror no longer carries a locked package.
pub const LOCK_STALE: Code = Code {
    id: "image.lock-stale",
    what: "The mirror no longer carries a package in the version that the lock names.",
    next: "Run `cargo run -p casemate-image --bin image -- lock refresh`, look at the difference, and commit it.",
};

/// A fetched file differs from its pinned digest.
pub const PIN_MISMATCH: Code = Code {
    id: "image.pin-mismatch",
    what: "A fetched file does not have the digest that the repository pins.",
    next: "Do not use the file: find out why the source changed, and only then change the pin.",
};

/// The stripped tree holds something a pack must not hold.
pub const FORBIDDEN: Code = Code {
    id: "image.forbidden-content",
    what: "The finished tree holds a file that a pack must not hold, such as a set-id file, a device node or a compiler.",
    next: "Add the listed paths to the strip list with the reason, or drop the package that brings them.",
};

/// Two builds of the same inputs differ.
pub const NOT_REPRODUCIBLE: Code = Code {
    id: "image.not-reproducible",
    what: "Two builds of the same inputs gave different files.",
    next: "Compare the two kept trees under the build directory and fix the file that differs.",
};

/// The release key is missing or unreadable.
pub const KEY: Code = Code {
    id: "image.key",
    what: "The release key is missing, or is not a P-256 private key in PKCS#8 PEM.",
    next: "For development run `image keys dev --out var/dev`; a release uses the site's own key.",
};

/// A disk cannot be packed.
pub const DISK: Code = Code {
    id: "image.disk-unfit",
    what: "A disk cannot be packed: it is empty, or its size is not a whole number of 64 KiB.",
    next: "Give the raw disk that `image build` wrote.",
};

/// Two files that were compared are not the same.
pub const DIFFERENT: Code = Code {
    id: "image.different",
    what: "Two files that were compared are not the same.",
    next: "Look at the first difference: the others may follow from it.",
};

/// A kept signature is not of what was built.
pub const SIGNATURE: Code = Code {
    id: "image.signature-foreign",
    what: "A signature that was to be put back does not belong to what was built.",
    next: "Build from the release's own commit and keys; `image diff` of the two packages names the first input that differs.",
};

/// Every code of this crate.
pub const CODES: &[Code] = &[
    FILE,
    RECIPE,
    TOOL,
    NO_MIRROR,
    LOCK_STALE,
    PIN_MISMATCH,
    FORBIDDEN,
    NOT_REPRODUCIBLE,
    KEY,
    DISK,
    DIFFERENT,
    SIGNATURE,
];
