//! `.helmignore`, as helm reads it.
//!
//! One pattern per line; `#` comments; `/` at the end means folders only; a `/` elsewhere means the whole path, else the last
//! part is compared. A pattern with `!` in front leaves out everything that it does *not* match: helm's own meaning, not git's.

/// Patterns of one file.
#[derive(Debug, Default)]
pub(super) struct Ignore(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    text: Vec<char>,
    whole_path: bool,
    negated: bool,
    folders_only: bool,
}

impl Ignore {
    /// Parses the file's text.
    ///
    /// # Errors
    ///
    /// The pattern that helm refuses too.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // What helm leaves out in any case.
        let mut patterns = vec![Pattern::new("templates/.?*")];
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.contains("**") {
                return Err(format!(
                    "the pattern {line:?} has two stars in a row, which helm does not know"
                ));
            }
            patterns.push(Pattern::new(line));
        }
        Ok(Self(patterns))
    }

    /// Whether a file or folder stays out; `path` is relative to the chart's folder.
    pub(super) fn leaves_out(&self, path: &str, is_folder: bool) -> bool {
        self.0.iter().any(|pattern| {
            if pattern.negated {
                return (pattern.folders_only && !is_folder) || !pattern.matches(path);
            }
            (is_folder || !pattern.folders_only) && pattern.matches(path)
        })
    }
}

impl Pattern {
    fn new(line: &str) -> Self {
        let (negated, rest) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folders_only, rest) = rest.strip_suffix('/').map_or((false, rest), |rest| (true, rest));
        let (rooted, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        Self {
            text: rest.chars().collect(),
            whole_path: rooted || rest.contains('/'),
            negated,
            folders_only,
        }
    }

    fn matches(&self, path: &str) -> bool {
        let name = if self.whole_path {
            path
        } else {
            path.rsplit('/').next().unwrap_or(path)
        };
        glob(&self.text, &name.chars().collect::<Vec<_>>())
    }
}

/// `*` and `?` stop at `/`; `[a-z]`, `[^a]` and `\` as in Go's `filepath.Match`.
fn glob(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    match first {
        '*' => {
            let reach = name.iter().take_while(|c| **c != '/').count();
            (0..=reach).any(|taken| glob(rest, name.get(taken..).unwrap_or_default()))
        }
        '?' => name
            .split_first()
            .is_some_and(|(c, after)| *c != '/' && glob(rest, after)),
        '[' => {
            let (Some((c, after)), Some(end)) = (name.split_first(), closing(rest)) else {
                return false;
            };
            let (set, beyond) = (
                rest.get(..end).unwrap_or_default(),
                rest.get(end + 1..).unwrap_or_default(),
            );
            *c != '/' && in_set(set, *c) && glob(beyond, after)
        }
        '\\' => match (rest.split_first(), name.split_first()) {
            (Some((escaped, rest)), Some((c, after))) => escaped == c && glob(rest, after),
            _ => false,
        },
        plain => name
            .split_first()
            .is_some_and(|(c, after)| c == plain && glob(rest, after)),
    }
}

/// Where a set ends; its first character belongs to it in any case.
fn closing(rest: &[char]) -> Option<usize> {
    let skip = if rest.first() == Some(&'^') { 2 } else { 1 };
    rest.iter().skip(skip).position(|c| *c == ']').map(|at| at + skip)
}

fn in_set(set: &[char], c: char) -> bool {
    let (negated, set) = match set.split_first() {
        Some(('^', rest)) => (true, rest),
        _ => (false, set),
    };
    let mut found = false;
    let mut rest = set;
    while let Some((low, after)) = rest.split_first() {
        if let [dash, high, beyond @ ..] = after
            && *dash == '-'
        {
            found |= (*low..=*high).contains(&c);
            rest = beyond;
        } else {
            found |= *low == c;
            rest = after;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_helm() {
        let ignore = |text: &str, path: &str, folder| Ignore::parse(text).unwrap().leaves_out(path, folder);
        for (text, path, folder, out) in [
            ("*.bak", "a/b.bak", false, true),
            ("*.bak", "a/b.yaml", false, false),
            ("/b.txt", "b.txt", false, true),
            ("/b.txt", "a/b.txt", false, false),
            ("ci/", "ci", true, true),
            ("ci/", "ci", false, false),
            ("a/*.txt", "a/b.txt", false, true),
            ("a/*.txt", "a/b/c.txt", false, false),
            ("file[0-9]", "x/file7", false, true),
            ("file[^0-9]", "file7", false, false),
            ("# x\n\n .git", ".git", true, true),
            (r"\*", "a", false, false),
            ("a?c", "abc", false, true),
            ("", "templates/.hidden", false, true),
            ("", "templates/shown", false, false),
            ("!*.yaml", "a.txt", false, true),
            ("!*.yaml", "a.yaml", false, false),
        ] {
            assert_eq!(ignore(text, path, folder), out, "{text:?} {path}");
        }
        assert!(Ignore::parse("a/**/b").is_err());
    }
}
