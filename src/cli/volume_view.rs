//! What is said of the volumes of a bundle.

use crate::bundle::Head;

/// Says which volumes a bundle has, and which of them are at hand; nothing for one in one file.
pub(super) fn lines(head: &Head, at_hand: &[usize]) -> String {
    if head.volumes.len() < 2 {
        return String::new();
    }
    let count = head.volumes.len();
    let chunks: Vec<String> = head.volumes.iter().map(u64::to_string).collect();
    format!(
        "\nvolumes      {} of {count} at hand; chunks in each: {}",
        numbers(at_hand),
        chunks.join(", ")
    )
}

fn numbers(volumes: &[usize]) -> String {
    let numbers: Vec<String> = volumes.iter().map(usize::to_string).collect();
    match numbers.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => numbers.join(""),
    }
}
