//! Why the body of an agent's request is refused: 400, and one line of text.
//!
//! 400 is final for an agent: it throws the batch away and goes on. So it is said only of bodies that would be refused every time.

use std::borrow::Cow;

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadBody {
    /// Nothing at all.
    Empty,
    /// It ends too early.
    UnexpectedEnd,
    /// No JSON.
    Grammar,
    /// Something behind the end.
    Trailing,
    /// Nested too deep.
    Depth,
    /// A raw control character inside a string.
    Control,
    /// No UTF-8.
    Utf8,
    /// A number that is too long.
    Number,
    /// More bytes than agents may send.
    TooLarge,
    /// Compressed, or otherwise encoded.
    Encoding,
    /// It came too slowly, or broke off.
    Broken,
    /// JSON of another shape: the field, where it is one.
    Shape(&'static str),
    /// A field that was given twice.
    Twice(&'static str),
    /// A status type that nobody knows: its first characters.
    StatusType(String),
}

impl BadBody {
    /// Returns the line of text; nothing of the body comes back but the word of an unknown status type.
    pub(super) fn text(&self) -> Cow<'static, str> {
        match self {
            // The first two are the words of the agents' own library.
            Self::Empty => "EOF".into(),
            Self::UnexpectedEnd => "unexpected EOF".into(),
            Self::Grammar => "the body is no JSON".into(),
            Self::Trailing => "something follows the JSON value".into(),
            Self::Depth => "the body is nested too deep".into(),
            Self::Control => "a string holds a raw control character".into(),
            Self::Utf8 => "the body is not UTF-8".into(),
            Self::Number => "a number is too long".into(),
            Self::TooLarge => "http: request body too large".into(),
            Self::Encoding => "encoded bodies are not taken".into(),
            Self::Broken => "the body did not arrive".into(),
            Self::Shape(what) => format!("the body does not fit: {what}").into(),
            Self::Twice(field) => format!("{field} is given twice").into(),
            Self::StatusType(word) => format!("invalid deployment status type: {word}").into(),
        }
    }
}
