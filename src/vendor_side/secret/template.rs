//! Distr's template form `{{ .Secrets.NAME }}` in files of authors.
//!
//! It is found before anything is parsed, because without quotes it is no YAML, and becomes a **mark**: a word that no reader takes for
//! anything but a part of a text. Behind the parser, where marks stand is judged; in what is written each becomes the form again, in its one
//! spelling, which the appliance fills ([`secret_place`]).

use std::path::Path;

use crate::bundle::secret_place;
use crate::domain::{Class, Error, SecretName};

/// Begins a mark; the name and [`END`] follow.
pub(crate) const MARK: &str = "secret.airlock.internal/";
/// Ends a mark, so that no name is the beginning of another's.
const END: char = '/';

/// What kind of text it is: who else reads templates and dollar signs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// Other templates are text; compose replaces variables.
    Compose,
    /// The hub would render other templates; compose replaces variables.
    Environment,
    /// The hub would render other templates.
    Values,
    /// What stays as it is whatever it holds, and no place for secrets: release notes.
    Notes,
}

/// A text with marks in it.
#[derive(Debug)]
pub(crate) struct Marked {
    /// The text.
    pub(crate) text: String,
    /// Templates that cannot be carried.
    pub(crate) problems: Vec<TemplateProblem>,
    /// Every secret that is marked, with its line.
    pub(crate) places: Vec<(usize, SecretName)>,
    /// Lines on which a secret is all of a value without quotes.
    pub(crate) bare: Vec<(usize, SecretName)>,
}

/// A template that cannot be carried.
#[derive(Debug)]
pub(crate) struct TemplateProblem {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column, from 1.
    pub(crate) column: usize,
    /// What was found.
    pub(crate) found: String,
    /// What would be right.
    pub(crate) expected: &'static str,
    /// What to do.
    pub(crate) remedy: &'static str,
}

impl TemplateProblem {
    /// Makes an error of it.
    pub(crate) fn error(&self, file: &Path) -> Error {
        let Self {
            line, column, found, ..
        } = self;
        let found = format!("{}:{line}:{column}: {found}", file.display());
        Error::new(Class::Content, "template", found)
            .expected(self.expected)
            .remedy(self.remedy)
    }
}

/// An action of a template: what stands between its braces, and how much space goes with it.
struct Action<'a> {
    /// All of it, braces included.
    whole: &'a str,
    core: &'a str,
    trims_before: bool,
    trims_behind: bool,
}

/// Replaces every place of a secret by its mark.
pub(crate) fn mark(text: &str, kind: TextKind) -> Marked {
    let mut marked = Marked {
        text: String::with_capacity(text.len()),
        problems: Vec::new(),
        places: Vec::new(),
        bare: Vec::new(),
    };
    let (mut rest, mut read) = (text, 0_usize);
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        marked.text.push_str(before);
        read = read.saturating_add(at);
        let place = Place::of(text, read);
        let Some(action) = Action::of(from) else {
            marked.text.push_str("{{");
            if kind != TextKind::Compose && kind != TextKind::Notes && !place.is_comment {
                marked.problems.push(place.other("{{"));
            }
            (rest, read) = (from.get(2..).unwrap_or_default(), read.saturating_add(2));
            continue;
        };
        (rest, read) = (
            from.get(action.whole.len()..).unwrap_or_default(),
            read.saturating_add(action.whole.len()),
        );
        match action.secret() {
            Some(name) if kind != TextKind::Notes => {
                let behind = rest.trim_start_matches(BLANK);
                if action.trims_before {
                    marked.text.truncate(marked.text.trim_end_matches(BLANK).len());
                }
                if action.trims_behind {
                    read = read.saturating_add(rest.len().saturating_sub(behind.len()));
                    rest = behind;
                }
                let dollars = marked
                    .text
                    .len()
                    .saturating_sub(marked.text.trim_end_matches('$').len());
                if kind != TextKind::Values && dollars % 2 == 1 && !place.is_comment {
                    marked.problems.push(place.dollar(&name));
                }
                if place.is_bare(rest) {
                    marked.bare.push((place.line, name.clone()));
                }
                marked.text.push_str(&format!("{MARK}{name}{END}"));
                marked.places.push((place.line, name));
            }
            Some(name) => {
                marked.text.push_str(action.whole);
                marked.problems.push(place.elsewhere(&name));
            }
            None => {
                let concerns_secrets = [".Secrets", ".LicenseKeys"]
                    .iter()
                    .any(|word| action.core.contains(word));
                let is_rendered = matches!(kind, TextKind::Environment | TextKind::Values);
                if (concerns_secrets || is_rendered) && !place.is_comment {
                    marked.problems.push(place.other(action.whole));
                }
                marked.text.push_str(action.whole);
            }
        }
    }
    marked.text.push_str(rest);
    marked
}

/// White space of templates.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'a> Action<'a> {
    /// Reads an action that a text begins with.
    fn of(from: &'a str) -> Option<Self> {
        let inside = from.strip_prefix("{{")?;
        let end = inside.find("}}")?;
        let inside = inside.get(..end)?;
        let whole = from.get(..end.checked_add(4)?)?;
        let (trims_before, inside) = match inside.strip_prefix('-') {
            Some(after) if after.starts_with(BLANK) => (true, after),
            _ => (false, inside),
        };
        let (trims_behind, inside) = match inside.strip_suffix('-') {
            Some(before) if before.ends_with(BLANK) => (true, before),
            _ => (false, inside),
        };
        Some(Self {
            whole,
            core: inside.trim_matches(BLANK),
            trims_before,
            trims_behind,
        })
    }

    /// Returns the secret that it names and does nothing else with.
    fn secret(&self) -> Option<SecretName> {
        self.core.strip_prefix(".Secrets.")?.parse().ok()
    }
}

/// Where an action begins.
struct Place<'a> {
    line: usize,
    column: usize,
    /// What stands before it on its line.
    before: &'a str,
    /// Whether the line is a comment.
    is_comment: bool,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, at: usize) -> Self {
        let passed = text.get(..at).unwrap_or_default();
        let before = passed.rsplit('\n').next().unwrap_or_default();
        Self {
            line: passed.matches('\n').count().saturating_add(1),
            column: before.chars().count().saturating_add(1),
            before,
            is_comment: before.trim_start().starts_with('#'),
        }
    }

    /// Whether it is all of a value that has no quotes.
    fn is_bare(&self, rest: &str) -> bool {
        let behind = rest.split('\n').next().unwrap_or_default().trim();
        let before = self.before.trim_end();
        !self.is_comment
            && before.ends_with([':', '-', ',', '['])
            && (behind.is_empty() || behind.starts_with([',', ']', '}', '#']))
    }

    fn other(&self, action: &str) -> TemplateProblem {
        let cut: String = action.chars().take(80).collect();
        TemplateProblem {
            line: self.line,
            column: self.column,
            found: format!("the template {cut:?}, which nothing renders at a site"),
            expected: "{{ .Secrets.NAME }} alone, with a name of A-Z, 0-9 and _",
            remedy: "write out what it stands for",
        }
    }

    fn dollar(&self, name: &SecretName) -> TemplateProblem {
        TemplateProblem {
            line: self.line,
            column: self.column,
            found: format!(
                "the secret {name} stands behind a dollar sign, and its value would be taken for the name of a variable"
            ),
            expected: "a secret behind $$, or behind no dollar sign",
            remedy: "write $$ for a dollar sign",
        }
    }

    fn elsewhere(&self, name: &SecretName) -> TemplateProblem {
        TemplateProblem {
            line: self.line,
            column: self.column,
            found: format!("the secret {name} stands where no secret may stand"),
            expected: "secrets in environment files, values of charts, and environment or content in compose files",
            remedy: "take it out",
        }
    }
}

/// Whether a text has a place for a secret.
pub(crate) fn is_marked(text: &str) -> bool {
    text.contains(MARK)
}

/// Returns the secrets that a text has places for, in the order in which they stand.
pub(crate) fn marks(text: &str) -> impl Iterator<Item = SecretName> + '_ {
    text.split(MARK)
        .skip(1)
        .filter_map(|after| after.split(END).next()?.parse().ok())
}

/// Writes every mark of a text as the form that the appliance fills.
pub(crate) fn unmark(text: &str) -> String {
    with_marks_as(text, secret_place)
}

/// Writes every mark of a text as the name of its secret.
pub(crate) fn words(text: &str) -> String {
    with_marks_as(text, SecretName::to_string)
}

fn with_marks_as(text: &str, write: impl Fn(&SecretName) -> String) -> String {
    let mut parts = text.split(MARK);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some((Ok(name), after)) = part.split_once(END).map(|(name, after)| (name.parse(), after)) {
            out.push_str(&write(&name));
            out.push_str(after);
        } else {
            // Marks are written above alone, and a text of an author that holds one is refused.
            out.push_str(MARK);
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, kind: TextKind) -> (String, Vec<String>) {
        let marked = mark(text, kind);
        let problems = marked.problems.iter();
        let problems = problems
            .map(|problem| problem.error(Path::new("x")).found().to_owned())
            .collect();
        (unmark(&marked.text), problems)
    }

    #[test]
    fn every_spelling_becomes_the_one_that_is_filled() {
        for (text, meant) in [
            ("a {{.Secrets.A}}b", "a {{ .Secrets.A }}b"),
            ("a {{  .Secrets.A\t}} b", "a {{ .Secrets.A }} b"),
            ("a {{\n.Secrets.A\n}} b", "a {{ .Secrets.A }} b"),
            ("a \n {{- .Secrets.A }} b", "a{{ .Secrets.A }} b"),
            ("a {{ .Secrets.A -}} \n b", "a {{ .Secrets.A }}b"),
            ("a {{- .Secrets.A -}} b", "a{{ .Secrets.A }}b"),
            ("{{.Secrets.A}}{{.Secrets.A_1}}", "{{ .Secrets.A }}{{ .Secrets.A_1 }}"),
            ("a: {} }} {", "a: {} }} {"),
            ("$${{.Secrets.A}}", "$${{ .Secrets.A }}"),
        ] {
            for kind in [TextKind::Compose, TextKind::Environment, TextKind::Values] {
                assert_eq!(marked(text, kind), (meant.to_owned(), vec![]), "{text}");
            }
        }
        let twice = mark("{{.Secrets.B}} {{.Secrets.A}}", TextKind::Values).text;
        assert_eq!(
            marks(&twice).map(|name| name.to_string()).collect::<Vec<_>>(),
            ["B", "A"]
        );
    }

    #[test]
    fn other_templates_are_named_by_their_place_and_stay_in_compose_files() {
        for action in [
            "{{ .Values.x }}",
            "{{-.Secrets.A }}",
            "{{ .Secrets.A | quote }}",
            "{{ .Secrets.a }}",
            "{{ $.Secrets.A }}",
            "{{ index .Secrets \"A\" }}",
            "{{ .LicenseKeys.A }}",
            "{{ unclosed",
        ] {
            let text = format!("a: 1\nb: {action}\n# {action}\n");
            for kind in [TextKind::Environment, TextKind::Values] {
                let (same, problems) = marked(&text, kind);
                assert_eq!(same, text);
                assert_eq!(problems.len(), 1, "{action}: {problems:?}");
                assert!(problems[0].starts_with("x:2:4: the template"), "{problems:?}");
            }
            let (same, problems) = marked(&text, TextKind::Compose);
            assert_eq!(same, text);
            let concerns = action.contains("Secrets") || action.contains("License");
            assert_eq!(problems.len(), usize::from(concerns), "{action}");
        }
        let (_, problems) = marked("a\n${{.Secrets.A}}", TextKind::Compose);
        assert!(
            problems[0].starts_with("x:2:2: the secret A stands behind a dollar"),
            "{problems:?}"
        );
        let (same, problems) = marked("{{.Secrets.A}} {{ x }}", TextKind::Notes);
        assert_eq!((same.as_str(), problems.len()), ("{{.Secrets.A}} {{ x }}", 1));
    }

    #[test]
    fn a_value_that_is_a_secret_alone_and_without_quotes_is_noticed() {
        let text = "a: {{ .Secrets.A }}\nb: \"{{ .Secrets.B }}\"\nc: [{{ .Secrets.C }}, x]\nd: x{{ .Secrets.D }}\n- {{ .Secrets.E }} # e\n";
        let bare: Vec<String> = mark(text, TextKind::Values)
            .bare
            .iter()
            .map(|(line, name)| format!("{line}{name}"))
            .collect();
        assert_eq!(bare, ["1A", "3C", "5E"]);
    }
}
