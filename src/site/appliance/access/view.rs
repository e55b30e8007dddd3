//! A credential as people are shown it.

use crate::db::site::access::{AccessGrant, AccessRow};
use crate::domain::{Name, Timestamp};

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessView {
    /// Its name.
    pub name: Name,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it may read.
    pub grants: Vec<AccessGrant>,
}

impl From<AccessRow> for AccessView {
    fn from(row: AccessRow) -> Self {
        Self {
            name: row.name,
            created_at: row.created_at,
            grants: row.grants,
        }
    }
}
