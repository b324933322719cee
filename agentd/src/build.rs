//! What this program was built as.
//!
//! A build with one of the features for tests cannot pass for another: its file holds
//! a mark, which `ci/check-shipped` looks for in every program before it goes into an
//! image, `agentd --version` prints it, and `agentd enter` refuses to serve.

/// The features for tests that are in this build: none, in what is shipped.
pub const TEST_FEATURES: &[&str] = &[
    #[cfg(feature = "weaken")]
    "weaken",
    #[cfg(feature = "host-root")]
    "host-root",
];

/// What `--version` prints.
#[cfg(not(any(feature = "weaken", feature = "host-root")))]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What `--version` prints, and with it the mark; no other build has these bytes.
#[cfg(any(feature = "weaken", feature = "host-root"))]
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " casemate-test-build");
