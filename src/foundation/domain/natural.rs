//! The order in which people list names: digits in them by the number that they write.

use std::cmp::Ordering;

/// Compares two names as people count: `press-2` before `press-10`. Names that are not the same are never equal.
pub fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    while !left.is_empty() && !right.is_empty() {
        let ((first, rest), (second, others)) = (run(left), run(right));
        let order = match (is_number(first), is_number(second)) {
            (true, true) => {
                let (first, second) = (without_zeros(first), without_zeros(second));
                first.len().cmp(&second.len()).then_with(|| first.cmp(second))
            }
            _ => first.cmp(second),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest, others);
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// Splits off the digits, or what is none, that a text begins with.
fn run(text: &[u8]) -> (&[u8], &[u8]) {
    let is_digit = text.first().is_some_and(u8::is_ascii_digit);
    let end = text.iter().position(|byte| byte.is_ascii_digit() != is_digit);
    text.split_at(end.unwrap_or(text.len()))
}

fn is_number(run: &[u8]) -> bool {
    run.first().is_some_and(u8::is_ascii_digit)
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_in_which_people_count() {
        let sorted = [
            "",
            "01",
            "1",
            "2",
            "10",
            "18446744073709551616",
            "a",
            "a1b",
            "a2",
            "a2b1",
            "a10",
            "ab",
            "press",
            "press-02",
            "press-2",
            "press-10",
            "press-10-a",
            "press-10-b",
            "press-x",
            "pr\u{e9}s-1",
        ];
        for (at, one) in sorted.iter().enumerate() {
            for (place, other) in sorted.iter().enumerate() {
                assert_eq!(natural(one, other), at.cmp(&place), "{one:?} {other:?}");
            }
        }
    }
}
