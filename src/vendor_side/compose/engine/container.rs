//! A service as an engine sees it, and what is said of it.

use super::super::node::{Node, Value};
use super::super::place::Place;
use super::super::problem::Problem;

/// A service, as far as an engine makes a container of it.
pub(super) struct Container<'a> {
    pub(super) name: &'a str,
    pub(super) node: &'a Node,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Container<'_> {
    /// Notes that a value of a key is none that an engine takes.
    pub(super) fn refuse(
        &mut self,
        place: &Place,
        key: &str,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) {
        let problem = Problem::usage(
            "value",
            place,
            format!("services.{}.{key} {found}, which no engine takes", self.name),
            "correct it, or remove it",
        );
        self.problems.push(problem.expected(expected));
    }

    /// Notes two keys that no engine takes together.
    pub(super) fn clash(&mut self, place: &Place, one: &str, other: &str) {
        self.problems.push(Problem::usage(
            "value",
            place,
            format!(
                "services.{} says both {one} and {other}, which no engine takes together",
                self.name
            ),
            "say one of them",
        ));
    }
}

/// The text of a value, when it is known here: what depends on the project's name is known at the appliance only.
pub(super) fn known(node: &Node) -> Option<&str> {
    let Value::Text(text) = &node.value else { return None };
    let is_open = text.raw == text.value && (text.raw.contains("${") || text.raw.contains("$COMPOSE_PROJECT_NAME"));
    (!is_open).then_some(text.value.as_str())
}
