//! Sub-codes of refusals as a type.

use std::fmt;

/// The stable sub-code of a refusal.
///
/// People and machines outside read it as a word. Code of ours that decides by one compares it with the constant that the
/// refusing module has for it, never with a word of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static str);

impl Code {
    /// Makes the code of a word.
    pub const fn new(word: &'static str) -> Self {
        Self(word)
    }

    /// Returns the word.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl From<&'static str> for Code {
    fn from(word: &'static str) -> Self {
        Self(word)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
