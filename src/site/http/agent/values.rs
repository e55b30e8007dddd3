//! Values of members: what they are by the grammar, and which of them a member takes.

use super::bad_body::BadBody;
use super::json::{Text, floor};
use crate::appliance::status::CUT_MARK;
use crate::domain::{AgentTime, Uuid};
use crate::protocol::distr::MemberValue;

/// A value of a known member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// A string.
    Text(Text<'a>),
    /// A number as it is written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
}

/// A value with the name of its member, for the text of a refusal.
pub(super) struct NamedValue<'a> {
    pub(super) name: &'static str,
    pub(super) value: Value<'a>,
}

impl NamedValue<'_> {
    fn wrong(&self) -> BadBody {
        BadBody::Shape(self.name)
    }
}

impl MemberValue<AgentText> for NamedValue<'_> {
    type Error = BadBody;

    fn text(self) -> Result<AgentText, BadBody> {
        match self.value {
            Value::Text(text) => Ok(text.into()),
            _ => Err(self.wrong()),
        }
    }

    fn uuid(self) -> Result<Uuid, BadBody> {
        match self.value {
            Value::Text(text) => Uuid::parse_lenient(text.kept).map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    fn time(self) -> Result<AgentTime, BadBody> {
        match self.value {
            Value::Text(text) => text.kept.parse().map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    fn integer(self) -> Result<i64, BadBody> {
        match self.value {
            Value::Number(number) => number.parse().map_err(|_| self.wrong()),
            _ => Err(self.wrong()),
        }
    }

    fn fraction(self) -> Result<f64, BadBody> {
        let Value::Number(number) = self.value else {
            return Err(self.wrong());
        };
        // Too large a number would be infinite.
        let number = number.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| self.wrong())
    }
}

/// Text that may have been longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AgentText {
    /// What was kept.
    pub(super) kept: String,
    /// Whether there was more.
    pub(super) cut: bool,
}

/// Longest short text: names, paths, severities.
const SHORT_BYTES: usize = 1024;

impl AgentText {
    /// Returns the text, with a mark when it was cut.
    pub(super) fn marked(self) -> String {
        if self.cut { self.kept + CUT_MARK } else { self.kept }
    }

    /// Returns a text that is a name or the like, marked when it had to be cut.
    pub(super) fn short(&self) -> String {
        let end = floor(&self.kept, SHORT_BYTES);
        let kept = self.kept.get(..end).unwrap_or_default().to_owned();
        Self {
            cut: self.cut || kept.len() < self.kept.len(),
            kept,
        }
        .marked()
    }
}

impl From<Text<'_>> for AgentText {
    fn from(text: Text<'_>) -> Self {
        Self {
            kept: text.kept.to_owned(),
            cut: text.cut,
        }
    }
}
