//! Says in the log which releases went live, and which were replaced.

use super::generation::Generation;

/// Compares what was live with what is.
pub(super) fn announce(before: &Generation, after: &Generation) {
    for release in after.live() {
        let was = before.live().find(|other| other.scope == release.scope);
        if was.is_some_and(|was| was.id == release.id) {
            continue;
        }
        tracing::info!(
            product = %release.scope.product,
            channel = %release.scope.channel,
            domain = %release.scope.domain,
            release = %release.counter,
            version = ?release.version,
            head = %release.head,
            before = ?was.map(|was| was.version.as_str()),
            "a release is live now"
        );
    }
}
