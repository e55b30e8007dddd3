//! What helm writes, cut into the objects that it is.

/// One object, as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// The template that it comes from, as helm calls it.
    pub(super) source: &'a str,
    /// Its YAML.
    pub(super) text: &'a str,
}

/// Cuts at lines of three dashes, which no indented text can hold.
pub(super) fn split(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut begin, mut at) = (0_usize, 0_usize);
    for line in text.split_inclusive('\n') {
        let next = at.saturating_add(line.len());
        if line.starts_with("---") && line.trim_start_matches('-').trim().is_empty() {
            found.extend(document(text.get(begin..at).unwrap_or_default()));
            begin = next;
        }
        at = next;
    }
    found.extend(document(text.get(begin..).unwrap_or_default()));
    // A file of definitions with several objects is named once, before its first.
    let mut source = "";
    for document in &mut found {
        if document.source.is_empty() {
            document.source = source;
        }
        source = document.source;
    }
    found
}

fn document(text: &str) -> Option<Document<'_>> {
    let source = text
        .lines()
        .find_map(|line| line.strip_prefix("# Source: "))
        .unwrap_or_default();
    let says = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    text.lines().any(says).then_some(Document { source, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_parted_and_know_where_they_come_from() {
        let text = "---\n# Source: a/templates/x.yaml\na: 1\n---\n# Source: a/templates/y.yaml\n# only a remark\n---\n# Source: a/templates/z.yaml\nb: |\n  ---\n  c\n---\nd: 1\n";
        let found = split(text);
        let sources: Vec<_> = found.iter().map(|document| document.source).collect();
        assert_eq!(
            sources,
            ["a/templates/x.yaml", "a/templates/z.yaml", "a/templates/z.yaml"]
        );
        assert!(found[1].text.ends_with("  ---\n  c\n"));
    }
}
