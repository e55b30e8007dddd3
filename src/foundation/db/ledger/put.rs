//! What a fact that is told again is to the one that is known.

/// What writing a fact down came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not known, and is now.
    New,
    /// The same was known.
    Known,
    /// Something else is known under its number; nothing changed.
    Differs,
}
