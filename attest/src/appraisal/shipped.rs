//! Which release a register does match, when it is not the one that the machine names.

use std::fmt::Write as _;

use super::{Finding, Measured, Standard, deviation};

/// Adds to a finding the shipped releases whose reference the register's events meet.
pub(super) fn explain(standard: &Standard<'_>, events: &[Measured<'_>], finding: &mut Finding) {
    let mut named = Vec::new();
    for release in standard.shipped {
        let same = release == standard.release;
        if !same && deviation::matches(release, finding.pcr, events) {
            let (product, version, number) = (&release.product, &release.version, release.number);
            named.push(format!("{product} {version} (number {number})"));
        }
    }
    if !named.is_empty() {
        let _ = write!(
            finding.detail,
            "; the register matches the release {}",
            named.join(" and ")
        );
    } else if !standard.shipped.is_empty() {
        finding
            .detail
            .push_str("; the register matches no release that was given");
    }
}
