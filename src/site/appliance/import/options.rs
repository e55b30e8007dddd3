//! What the one who imports decides.

use crate::crypto::Signature;
use crate::domain::{Name, Timestamp};

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run every check and write nothing but an audit row.
    pub dry_run: bool,
    /// Leave the release available instead of making it live.
    pub keep_inactive: bool,
    /// Products and channels that this site takes; empty: all that the pinned vendors may sign for.
    pub accept: Vec<(Name, Name)>,
    /// Today's date as a person confirmed it, where the clock is years ahead of everything signed or the date of a bundle lies ahead of it.
    /// Beside any other clock the later of the two counts. The rows of the audit log have it.
    pub confirmed_date: Option<Timestamp>,
    /// Signatures kept in files of their own.
    pub signatures: Vec<Signature>,
}
