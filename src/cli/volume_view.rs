//! What is said of the volumes of a bundle.

use crate::bundle::Head;
use crate::domain::enumerated;

/// Says which volumes a bundle has, and which of them are at hand; nothing for one in one file.
pub(super) fn lines(head: &Head, at_hand: &[usize]) -> String {
    if head.volumes.len() < 2 {
        return String::new();
    }
    let count = head.volumes.len();
    let chunks: Vec<String> = head.volumes.iter().map(u64::to_string).collect();
    format!(
        "\nvolumes      {} of {count} at hand; chunks in each: {}",
        enumerated(at_hand),
        chunks.join(", ")
    )
}
