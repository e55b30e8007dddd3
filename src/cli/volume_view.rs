//! What is said of what a file holds of a bundle: its volumes, or single chunks.

use crate::bundle::Head;
use crate::container::ChunkRanges;
use crate::domain::enumerated;

/// Says which volumes a bundle has, and which of them are at hand, or which chunks a repair file holds; nothing for one in one file.
pub(super) fn lines(head: &Head, at_hand: &[usize], repair: Option<&ChunkRanges>) -> String {
    if let Some(chunks) = repair {
        return format!(
            "\nrepair file  chunks {chunks} of {}, for a site that has the release",
            head.totals.chunks
        );
    }
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
