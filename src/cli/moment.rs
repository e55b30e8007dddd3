//! Times and ages as options: a moment, or how long ago that was.

use crate::domain::{Clock as _, SystemClock, Timestamp};

/// Seconds of the units of ages.
const UNITS: [(&str, i64); 4] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)];
/// Reads an age: a whole number and a unit.
pub(super) fn age(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no age such as 36h or 14d");
    let (unit, seconds) = UNITS
        .into_iter()
        .find(|(unit, _)| text.ends_with(unit))
        .ok_or_else(wrong)?;
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    number.checked_mul(seconds).ok_or_else(wrong)
}

/// Reads a time, or how long ago it was.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    match age(text) {
        Ok(seconds) => Ok(SystemClock.now().plus_seconds(seconds.saturating_neg())),
        Err(_) => {
            Timestamp::of_person(text).map_err(|error| format!("{error}, or how long ago it was, such as 36h or 30d"))
        }
    }
}
