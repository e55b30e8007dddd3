//! Replaces variables throughout a tree, and keeps what was written beside it.
//!
//! An included file may have an environment file of its own, which does not travel. A text that needs it is replaced here for good:
//! it becomes the literal text that it stands for.

use std::collections::BTreeSet;

use super::environment::Environment;
use super::node::{Node, Text, Value};
use super::place::Place;
use super::problem::{Problem, cut};
use super::template::{Fault, Variables, expand};

/// The name under which compose offers the project's name, and takes another one.
pub(super) const PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";
/// Most bytes of texts that variables were replaced in.
const TEXT_BYTES: usize = 64 << 20;

/// Where variables come from.
#[derive(Clone, Default)]
pub(super) struct Scope {
    /// The environment file of the deployment.
    pub(super) main: Environment,
    /// Those of included files, for what the main one does not have.
    pub(super) own: Environment,
}

/// What replacing brought up.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Unset variables that were warned of already.
    missing: BTreeSet<String>,
    /// Bytes of all texts that variables were replaced in.
    bytes: usize,
}

struct Lookup<'a> {
    scope: &'a Scope,
    missing: Vec<String>,
    used_own: bool,
    used_name: bool,
}

impl Variables for Lookup<'_> {
    fn value(&mut self, name: &str) -> Option<String> {
        if let Some(value) = self.scope.main.get(name) {
            return Some(value.to_owned());
        }
        if name == PROJECT_NAME {
            self.used_name = true;
            return Some(String::new());
        }
        let own = self.scope.own.get(name)?;
        self.used_own = true;
        Some(own.to_owned())
    }

    fn missing(&mut self, name: &str) {
        self.missing.push(name.to_owned());
    }
}

/// Replaces variables in every text of a tree; keys hold none.
pub(super) fn interpolate(node: &mut Node, scope: &Scope, findings: &mut Findings) {
    match &mut node.value {
        Value::Text(text) => interpolate_text(text, &node.place, scope, findings),
        Value::List(items) => {
            for item in items {
                interpolate(item, scope, findings);
            }
        }
        Value::Map(entries) => {
            for item in entries.values_mut() {
                interpolate(item, scope, findings);
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
    }
}

fn interpolate_text(text: &mut Text, place: &Place, scope: &Scope, findings: &mut Findings) {
    if !text.raw.contains('$') {
        return;
    }
    if findings.bytes > TEXT_BYTES {
        findings.problems.push(Problem::usage(
            "variable",
            place,
            "with their variables replaced the files are too large",
            "use shorter values",
        ));
        return;
    }
    let mut lookup = Lookup {
        scope,
        missing: Vec::new(),
        used_own: false,
        used_name: false,
    };
    let expanded = expand(&text.raw, &mut lookup);
    for name in lookup.missing {
        if findings.missing.insert(name.clone()) {
            findings.warnings.push(Problem::new(
                "unset",
                place,
                format!("the variable {name} is not set, and becomes an empty text"),
                "give it a value in the environment file, or a default; a secret has \"{{ .Secrets.NAME }}\" there",
            ));
        }
    }
    match expanded {
        Ok(value) => {
            findings.bytes = findings.bytes.saturating_add(value.len());
            if lookup.used_own {
                *text = Text::literal(&value);
            } else {
                text.value = value;
            }
        }
        Err(fault) => {
            let (found, remedy) = match fault {
                Fault::Invalid => (
                    "a reference to a variable in a form that compose does not have: it has ${X} and, within the braces, X:-, X-, X:?, X?, X:+ and X+ with \
                     more behind".to_owned(),
                    "write a dollar sign that stands for itself as $$",
                ),
                Fault::Long => (
                    "a text that is too long with its variables replaced".to_owned(),
                    "keep it in a volume or an image",
                ),
                Fault::Deep => (
                    "defaults within defaults, too deep".to_owned(),
                    "use another variable for some of them",
                ),
                Fault::Required { name, message } if message.is_empty() => (
                    format!("the variable {name} must have a value"),
                    "give it one in the environment file",
                ),
                Fault::Required { name, message } => (
                    format!("the variable {name} must have a value ({})", cut(&message)),
                    "give it one in the environment file",
                ),
            };
            findings.problems.push(Problem::usage("variable", place, found, remedy));
        }
    }
    if lookup.used_name && lookup.used_own {
        findings.problems.push(Problem::usage(
            "variable",
            place,
            format!("{PROJECT_NAME} and a variable of an included environment file in one text"),
            "move the variable to the deployment's environment file",
        ));
    } else if lookup.used_name {
        // Its value is known at the appliance only; there compose knows it too.
        text.value.clone_from(&text.raw);
    }
}
