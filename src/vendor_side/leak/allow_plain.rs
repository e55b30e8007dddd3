//! What an author allows to travel in clear though it looks like a secret.

/// What an author says is no secret though it looks like one: patterns of keys, of paths in values, and of files, in which `*` stands for
/// any text.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct AllowPlain<'a>(pub(in super::super) &'a [String]);

impl AllowPlain<'_> {
    /// Allows nothing.
    pub(in super::super) const NOTHING: Self = AllowPlain(&[]);

    /// Whether one of the patterns fits a file, given by its path or its name.
    pub(in super::super) fn has_file(self, file: &str) -> bool {
        let name = file.rsplit('/').next().unwrap_or_default();
        self.0.iter().any(|pattern| {
            let is_end = file
                .strip_suffix(pattern.as_str())
                .is_some_and(|before| before.ends_with('/'));
            fits(pattern, file) || fits(pattern, name) || is_end
        })
    }

    /// Whether one of them fits a key, or a path in values.
    pub(super) fn has(self, name: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern, name))
    }
}

/// Whether a text is what a pattern says.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}
