//! What the times of a site's clock say beside the clock here; they are told, and never refuse anything.

use crate::domain::Timestamp;

/// How far ahead of the clock here a site's clock may be, in seconds.
const AHEAD: i64 = 24 * 60 * 60;

/// Says how far a site's clock is ahead of the clock here; nothing where that is a day or less.
pub(super) fn ahead(made_at: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = made_at.unix().saturating_sub(now.unix());
    (ahead > AHEAD).then(|| {
        format!(
            "was made at {made_at} by the site's clock, {} ahead of the clock here",
            span(ahead)
        )
    })
}

/// Returns a span of time in its two largest units.
pub(super) fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}
