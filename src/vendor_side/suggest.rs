//! Guesses for misspelt words of release files: the same as everywhere.

pub(super) use crate::domain::nearest;
