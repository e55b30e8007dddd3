//! The short syntax of volumes: `SOURCE:TARGET:OPTIONS`, `SOURCE:TARGET` or `TARGET`.

/// What a volume says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Volume<'a> {
    /// Volume or path on the host; none for an anonymous volume.
    pub(super) source: Option<&'a str>,
    /// Path in the container.
    pub(super) target: &'a str,
    /// What else is said of it, parted by commas; often nothing.
    options: &'a str,
}

impl<'a> Volume<'a> {
    /// Reads the short syntax; a lone letter before a colon is a drive and no source.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if (1..=2).contains(&text.len()) {
            return Some(Self {
                source: None,
                target: text,
                options: "",
            });
        }
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, c) in text.char_indices() {
            let part = text.get(begin..at)?;
            let drive = part.len() == 1 && part.starts_with(|c: char| c.is_ascii_alphabetic());
            if c == ':' && !drive {
                parts.push(part);
                begin = at.saturating_add(1);
            }
        }
        parts.push(text.get(begin..)?);
        match *parts.as_slice() {
            [target] if !target.is_empty() => Some(Self {
                source: None,
                target,
                options: "",
            }),
            [source, target] if !source.is_empty() && !target.is_empty() => Some(Self {
                source: Some(source),
                target,
                options: "",
            }),
            [source, target, options] if !source.is_empty() && !target.is_empty() && !options.is_empty() => {
                Some(Self {
                    source: Some(source),
                    target,
                    options,
                })
            }
            _ => None,
        }
    }

    /// Whether it is not written to: the last word about it decides.
    pub(super) fn is_read_only(&self) -> bool {
        let mut words = self.options.split(',').filter(|word| matches!(*word, "ro" | "rw"));
        words.next_back() == Some("ro")
    }

    /// Whether the source is a path on the host and no volume's name.
    pub(super) fn is_path(source: &str) -> bool {
        let mut chars = source.chars();
        source.starts_with(['.', '/', '~'])
            || source.starts_with("\\\\")
            || (chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':'))
    }
}

/// Whether a path means the same wherever compose runs: it begins at the root of the host, and no part of it leads up.
pub(super) fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// Makes a path shorter without changing it, as compose does for targets: no `.`, no `//`, no `..` that can be undone.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_syntax() {
        for (text, meant) in [
            ("/data", Some((None, "/data"))),
            ("db:/data", Some((Some("db"), "/data"))),
            ("db:/data:ro,z", Some((Some("db"), "/data"))),
            ("./a:/b", Some((Some("./a"), "/b"))),
            ("C:\\x:/b", Some((Some("C:\\x"), "/b"))),
            ("a", Some((None, "a"))),
            ("", None),
            (":/b", None),
            ("a:", Some((None, "a:"))),
            ("aa:", None),
            ("a:/b:ro", Some((Some("a:/b"), "ro"))),
            ("aa:/b:ro:x", None),
            ("aa:/b:", None),
        ] {
            let volume = Volume::parse(text);
            assert_eq!(volume.map(|volume| (volume.source, volume.target)), meant, "{text}");
        }
        for (text, meant) in [("aa:/b", false), ("aa:/b:z,ro", true), ("aa:/b:ro,rw", false)] {
            assert_eq!(Volume::parse(text).unwrap().is_read_only(), meant, "{text}");
        }
        assert!(
            ["./a", "/a", "~/a", "..", "C:/a", "\\\\pipe"]
                .into_iter()
                .all(Volume::is_path)
        );
        assert!(!["db", "db_1.x", ""].into_iter().any(Volume::is_path));
    }

    #[test]
    fn targets_are_compared_clean() {
        for (path, meant) in [
            ("/a/b/", "/a/b"),
            ("/a/./b//c", "/a/b/c"),
            ("/a/../b", "/b"),
            ("/../a", "/a"),
            ("../a", "../a"),
            ("", "."),
            ("/", "/"),
        ] {
            assert_eq!(clean(path), meant);
        }
    }
}
