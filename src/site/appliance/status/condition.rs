//! What a status says, apart from how long it has been so.
//!
//! Engines word ages into their states: `Exited (3) 17 seconds ago`, `Up About a minute (unhealthy)`. Two such texts are one condition,
//! seen twice. Exit codes and health are never ages: where one of them changes, it is another condition, kept for good (D13).

use std::borrow::Cow;

/// Longest text in which ages are looked for; longer ones are compared as they came.
const BYTES: usize = 16 << 10;
/// Digits that the number of an age may have.
const DIGITS: usize = 9;
/// States that are looked at in one text.
const STATES: usize = 256;

/// Stands for an age; no text holds it.
const AGE: char = '\0';

/// Units of an age, in words and short; a longer word stands before one that it begins with.
const UNITS: [&str; 8] = ["second", "minute", "hour", "day", "week", "month", "year", "sec"];
const SHORT_UNITS: [&str; 7] = ["ms", "s", "m", "h", "d", "w", "y"];
/// Ages without a number.
const PHRASES: [&str; 7] = [
    "less than a second",
    "about a minute",
    "about an hour",
    "a second",
    "a minute",
    "an hour",
    "a day",
];

/// What stands before a word or number that tells one state from another.
const NAMED: [&str; 8] = [
    "exited (",
    "restarting (",
    "exitcode=",
    "exit code ",
    "with code ",
    "health=",
    "state=",
    "running=",
];
/// States by themselves.
const BARE: [&str; 5] = ["(healthy)", "(unhealthy)", "(health: starting)", "(paused)", "(dead)"];

/// Returns the text with one sign in the place of every age.
pub(super) fn without_ages(text: &str) -> Cow<'_, str> {
    if text.len() > BYTES {
        return text.into();
    }
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    let mut inside_word = false;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        if !inside_word && let Some((start, end)) = age(rest) {
            out += text.get(kept..at + start).unwrap_or_default();
            out.push(AGE);
            at += end;
            kept = at;
            inside_word = true;
            continue;
        }
        inside_word = first.is_alphanumeric() || matches!(first, '.' | '_');
        at += first.len_utf8();
    }
    if kept == 0 {
        return text.into();
    }
    out += text.get(kept..).unwrap_or_default();
    out.into()
}

/// Returns the exit codes, healths and counts that a text names.
pub(super) fn states(text: &str) -> Vec<&str> {
    let text = if text.len() > BYTES { "" } else { text };
    let ends = |rest: &str| {
        rest.bytes()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == b'-')
            .count()
    };
    let mut found = Vec::new();
    for (at, _) in text.char_indices() {
        let Some(rest) = text.get(at..) else { continue };
        let named = NAMED.iter().find(|word| starts(rest, word));
        let length = match named {
            Some(word) => word.len() + rest.get(word.len()..).map_or(0, ends),
            None => BARE.iter().find(|word| starts(rest, word)).map_or(0, |word| word.len()),
        };
        if let Some(state) = rest.get(..length).filter(|state| !state.is_empty()) {
            found.push(state);
            if found.len() >= STATES {
                break;
            }
        }
    }
    found
}

/// Returns where an age lies that a text begins with: what is `ago`, or how long something is `up`.
fn age(rest: &str) -> Option<(usize, usize)> {
    let start = if starts(rest, "up ") { 3 } else { 0 };
    let length = duration(rest.get(start..)?)?;
    let end = start + length;
    let after = rest.get(end..)?;
    let ago = after
        .strip_prefix(" ago")
        .is_some_and(|after| !begins_with_letter(after));
    (ago || (start > 0 && !begins_with_letter(after))).then_some((start, end))
}

/// Returns the length of the duration that a text begins with.
fn duration(text: &str) -> Option<usize> {
    if let Some(phrase) = PHRASES.iter().find(|phrase| starts(text, phrase)) {
        return Some(phrase.len());
    }
    let mut end = if starts(text, "less than ") { 10 } else { 0 };
    let mut found = None;
    loop {
        let rest = text.get(end..)?;
        let digits = rest.bytes().take_while(|c| c.is_ascii_digit() || *c == b'.').count();
        if !(1..=DIGITS).contains(&digits) {
            return found;
        }
        let unit = rest.get(digits..)?;
        let spaced = unit.strip_prefix(' ').unwrap_or(unit);
        let gap = unit.len() - spaced.len();
        if let Some(word) = UNITS.iter().find(|word| starts(spaced, word)) {
            let plural = usize::from(spaced.as_bytes().get(word.len()) == Some(&b's'));
            return Some(end + digits + gap + word.len() + plural);
        }
        // As in 5m32s: one after the other, without a space.
        let Some(short) = SHORT_UNITS.iter().find(|short| unit.starts_with(**short)) else {
            return found;
        };
        end += digits + short.len();
        found = Some(end);
    }
}

fn starts(text: &str, lower_case: &str) -> bool {
    let head = text.as_bytes().get(..lower_case.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(lower_case.as_bytes()))
}

fn begins_with_letter(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_only_by_an_age_are_one_condition() {
        for same in [
            &[
                "status=Exited (3) 17 seconds ago, exitCode=3",
                "status=Exited (3) Less than a second ago, exitCode=3",
                "status=Exited (3) About a minute ago, exitCode=3",
                "status=Exited (3) 2 weeks ago, exitCode=3",
            ][..],
            &[
                "Up 59 seconds (unhealthy)",
                "Up About a minute (unhealthy)",
                "Up 3 hours (unhealthy)",
            ],
            &[
                "Up Less than a second",
                "Up 1 second",
                "Up About an hour",
                "Up 5 months",
            ],
            &["Restarting (1) 3 seconds ago", "Restarting (1) 1 second ago"],
            &[
                "back-off, last seen 5m32s ago",
                "back-off, last seen 17s ago",
                "back-off, last seen 2d3h ago",
            ],
            &[
                "a: Up 2 days, b: Exited (0) 4 hours ago",
                "a: Up 3 days, b: Exited (0) 28 hours ago",
            ],
        ] {
            let first = without_ages(same[0]);
            for text in same {
                assert_eq!(without_ages(text), first, "{text}");
                assert_eq!(states(text), states(same[0]), "{text}");
            }
        }
    }

    #[test]
    fn whatever_is_no_age_stays() {
        for text in [
            "",
            "timed out after 30 seconds",
            "ill for 5 s",
            "up 3 containers of 5 seconds",
            "Up 5 secondsago",
            "web2 1.0.17 seconds",
            "v17 seconds agony",
            "2 healthy, 1 starting",
            "startup 5 minutes",
            "é 17 secondé ago",
            "99999999999 seconds ago",
            "ago ago 5",
        ] {
            assert!(matches!(without_ages(text), Cow::Borrowed(_)), "{text}");
        }
        let long = "Exited (3) 17 seconds ago".repeat(1000);
        assert_eq!(without_ages(&long), long);
    }

    #[test]
    fn exit_codes_and_health_tell_conditions_apart() {
        let different = [
            "Exited (3) 17 seconds ago",
            "Exited (1) 17 seconds ago",
            "Restarting (1) 17 seconds ago",
            "Up 5 minutes",
            "Up 5 minutes (healthy)",
            "Up 5 minutes (unhealthy)",
            "Up 5 minutes (health: starting)",
            "state=running, health=unhealthy, exitCode=0",
            "state=exited, exitCode=137",
        ];
        for (n, one) in different.iter().enumerate() {
            for other in &different[n + 1..] {
                assert_ne!(without_ages(one), without_ages(other));
                assert_ne!(states(one), states(other), "{one} {other}");
            }
        }
        assert!(states("Pulling web: 2/4").is_empty());
    }
}
