//! The two ends of recording something that must be recorded once.

/// What recording came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// A new row.
    New,
    /// The same was recorded before; nothing changed.
    Already,
}
