//! Compares a release that a site lists with what was signed here under its head.

use crate::db::Connection;
use crate::db::ledger;
use crate::domain::{Counter, Result, counted};
use crate::package::Release;

/// What a line says beside what was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Compared {
    /// No release with this head was signed or learned here: there is nothing to compare.
    NotSigned,
    /// Numbers and content are those that were signed.
    Agrees,
    /// Something differs: a sentence about the release.
    Differs(String),
}

impl Compared {
    /// Whether it agrees; nothing where nothing can be compared.
    pub(super) fn agrees(&self) -> Option<bool> {
        match self {
            Self::NotSigned => None,
            Self::Agrees => Some(true),
            Self::Differs(_) => Some(false),
        }
    }
}

/// Compares product, channel, number and content.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn compare(connection: &Connection, line: &Release) -> Result<Compared> {
    let (Some((blobs, content)), Some(signed)) = (
        ledger::contents_of(connection, line.head)?,
        ledger::numbered_of(connection, line.head)?,
    ) else {
        return Ok(Compared::NotSigned);
    };
    let counter = Counter {
        epoch: line.epoch,
        sequence: line.sequence,
    };
    let told = format!("{}/{} {counter}", line.product, line.channel);
    let known = format!("{}/{} {}", signed.product, signed.channel, signed.counter);
    Ok(if told != known {
        Compared::Differs(format!("{told}, whose head was signed here as {known}"))
    } else if blobs != line.blobs {
        Compared::Differs(format!(
            "{told}, of {} in place of {blobs}",
            counted(line.blobs, "blob")
        ))
    } else if content != line.content {
        Compared::Differs(format!("{told}, of other content than was signed here"))
    } else {
        Compared::Agrees
    })
}
