//! Guesses what was meant by a misspelt word.

/// Returns the known word that is nearest to a misspelt one, when it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.to_lowercase().chars().take(64).collect();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        // Insertions, deletions, replacements and swaps of neighbours, as people mistype.
        .map(|candidate| (strsim::osa_distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["product", "channel", "sequence", "expires", "expires_in", "images"];
        for (word, meant) in [
            ("chanel", Some("channel")),
            ("prodcut", Some("product")),
            ("Sequence", Some("sequence")),
            ("image", Some("images")),
            ("expire", Some("expires")),
            ("volume", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
