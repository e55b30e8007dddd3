//! What agents get of an environment file. Where secrets stand, every value with one is written anew, in double quotes on one line, and
//! means what it meant. A name of the project is taken out: compose would take it before the one in the file, by which agents find what
//! they started.

use std::path::Path;

use super::environment::{Environment, Quote, Written};
use super::place::Place;
use super::problem::mistake;
use super::template::references;
use crate::domain::{Result, SecretName};
use crate::secret::{MARK, is_marked, marks, unmark};

/// An environment file with its secrets in place.
#[derive(Debug)]
pub struct EnvironmentFile {
    /// What variables are; a secret's mark stands in values.
    pub environment: Environment,
    /// What agents get, with the places of secrets.
    pub bytes: Vec<u8>,
    /// Its secrets, and the line on which each stands.
    pub(crate) secrets: Vec<(SecretName, usize)>,
    /// The line on which a name of the project stood.
    pub(crate) project: Option<usize>,
}

impl EnvironmentFile {
    /// Reads a file in whose text secrets are marked; the path is for messages.
    ///
    /// # Errors
    ///
    /// Those of [`Environment::parse`]; `E-USAGE environment` for a secret within a reference to a variable.
    pub fn read(path: &Path, text: &str) -> Result<Self> {
        let (_, written) = Environment::parse_written(path, text.as_bytes())?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut project = None;
        let (mut kept, mut done) = (String::with_capacity(text.len()), 0);
        for value in written
            .iter()
            .filter(|value| value.is_project && value.begin < value.end)
        {
            project = project.or(Some(line_at(text, value)));
            kept.push_str(text.get(done..value.begin).unwrap_or_default());
            done = value.end;
        }
        kept.push_str(text.get(done..).unwrap_or_default());
        // What other values make of it is another text then, too.
        Self::without_project(path, &kept, project)
    }

    fn without_project(path: &Path, text: &str, project: Option<usize>) -> Result<Self> {
        let (mut environment, written) = Environment::parse_written(path, text.as_bytes())?;
        environment.without_project();
        let (mut bytes, mut secrets, mut done) = (String::with_capacity(text.len()), Vec::new(), 0);
        for value in &written {
            let source = text.get(value.begin..value.end).unwrap_or_default();
            if !is_marked(source) {
                continue;
            }
            let line = line_at(text, value);
            if value.quote != Some(Quote::Single) && references(source).any(is_marked) {
                let place = Place {
                    file: path.into(),
                    line,
                    column: 1,
                };
                let found = "a secret stands within the reference to a variable, whose end its value could be";
                return Err(mistake(&place, "environment", found).remedy("put the secret beside the variable"));
            }
            bytes.push_str(text.get(done..value.begin).unwrap_or_default());
            bytes.push_str(&in_double_quotes(source, value));
            done = value.end;
            secrets.extend(marks(source).map(|name| (name, line)));
        }
        bytes.push_str(text.get(done..).unwrap_or_default());
        Ok(Self {
            environment,
            bytes: unmark(&bytes).into_bytes(),
            secrets,
            project,
        })
    }
}

/// The line on which a value begins.
fn line_at(text: &str, value: &Written) -> usize {
    let before = text.get(..value.begin).unwrap_or_default();
    before.matches('\n').count().saturating_add(1)
}

/// Writes a value with its quotes, if any, as one in double quotes on one line.
fn in_double_quotes(source: &str, value: &Written) -> String {
    let mut out = "\"".to_owned();
    match value.quote {
        // What stands there means the same in quotes, but for what would end or escape within them.
        None => {
            for c in source.chars() {
                if matches!(c, '"' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
        }
        Some(quote) => {
            let inner = source.get(1..source.len().saturating_sub(1)).unwrap_or_default();
            let mut rest = inner.chars();
            while let Some(c) = rest.next() {
                match (quote, c) {
                    (_, '\n') => out.push_str("\\n"),
                    (Quote::Double, '\\') => {
                        let after = rest.as_str();
                        // A backslash that escapes nothing is one; before a secret's value it might escape something.
                        if after.starts_with(MARK) || after.starts_with('\n') || after.is_empty() {
                            out.push_str("\\\\");
                        } else {
                            out.push('\\');
                            out.extend(rest.next());
                        }
                    }
                    (Quote::Single, '\\') => match rest.as_str().strip_prefix('\'') {
                        Some(after) => {
                            out.push('\'');
                            rest = after.chars();
                        }
                        None => out.push_str("\\\\"),
                    },
                    (Quote::Single, '"' | '$') => {
                        out.push('\\');
                        out.push(c);
                    }
                    (_, c) => out.push(c),
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::bundle::{SecretForm, Substitution};
    use crate::domain::SecretValue;
    use crate::secret::{TextKind, mark};

    const HARD: &str = " a$B${C}#'\"\\ \\n{{ .Secrets.S }}%:\n\u{1f600}\t\r ";

    fn read(text: &str) -> EnvironmentFile {
        let marked = mark(text, TextKind::Environment);
        assert!(marked.problems.is_empty(), "{:?}", marked.problems);
        EnvironmentFile::read(Path::new("x"), &marked.text).unwrap()
    }

    #[test]
    fn a_name_of_the_project_stays_out_of_what_travels() {
        let file = read("A=1\nCOMPOSE_PROJECT_NAME=\"wiki\"\nB=${COMPOSE_PROJECT_NAME}x\n");
        assert_eq!(file.project, Some(2));
        assert_eq!(file.bytes, b"A=1\nCOMPOSE_PROJECT_NAME=\nB=${COMPOSE_PROJECT_NAME}x\n");
        let known: Vec<_> = file.environment.iter().collect();
        assert_eq!(known, [("A", "1"), ("B", "x")]);
        let twice = read("COMPOSE_PROJECT_NAME=a\nCOMPOSE_PROJECT_NAME='b'\n");
        assert_eq!(twice.bytes, b"COMPOSE_PROJECT_NAME=\nCOMPOSE_PROJECT_NAME=\n");
        let none = read("COMPOSE_PROJECT_NAME=\nMY_COMPOSE_PROJECT_NAME=x\n");
        assert_eq!(
            (none.project, &none.bytes[..]),
            (None, &b"COMPOSE_PROJECT_NAME=\nMY_COMPOSE_PROJECT_NAME=x\n"[..])
        );
    }

    /// The value with its secret filled is what the file meant with the mark in the secret's place.
    #[test]
    fn whatever_the_value_it_comes_back_and_the_rest_means_what_it_meant() {
        let value = SecretValue::new(Zeroizing::new(HARD.as_bytes().to_vec())).ok().unwrap();
        let name = "S".parse().unwrap();
        for text in [
            "A={{.Secrets.S}}\n",
            "V=v\nA=x${V}\\{{ .Secrets.S }}\"'$$ # no\nB=c\n",
            "A='x$V\\'\\{{ .Secrets.S }}\"\n$'\n",
            "V=v\nA=\"x$V\\$\\\\\\{{ .Secrets.S }}\\n\n$${V}\\q\\\n\\\"\"\n",
            "export A = \"{{ .Secrets.S }}\"\n# {{ .Secrets.S }} {{ other }}\n",
            "A: {{- .Secrets.S }}\n",
        ] {
            let file = read(text);
            let served = Substitution::new("a.b", "https://a.b")
                .with_secrets(SecretForm::Environment, [(&name, &value)])
                .whole(&file.bytes);
            let got = Environment::parse(Path::new("x"), &served).unwrap();
            for (variable, meant) in file.environment.iter() {
                let meant = meant.replace(&mark("{{.Secrets.S}}", TextKind::Values).text, HARD);
                assert_eq!(got.get(variable), Some(meant.as_str()), "{text}");
            }
            assert_eq!(got.iter().count(), file.environment.iter().count(), "{text}");
            assert_eq!(file.secrets.len(), 1, "{text}");
        }
    }

    #[test]
    fn what_has_no_secret_stays_as_it_is() {
        let text = "\u{feff}A=1\nB='x'\n\nC=\"y\\n\"\n";
        assert_eq!(read(text).bytes, text.trim_start_matches('\u{feff}').as_bytes());
        let marked = mark("V=1\nA=${B:-{{ .Secrets.S }}}\n", TextKind::Environment);
        let error = EnvironmentFile::read(Path::new("x"), &marked.text).unwrap_err();
        assert!(
            error.found().starts_with("x:2:1: a secret stands within the reference"),
            "{error}"
        );
    }
}
