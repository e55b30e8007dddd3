//! What lost branches told: numbers of a site that are on no shown line. They are listed apart and count for nothing (M-83).

use crate::db::Connection;
use crate::db::ledger::questions::{newest, told};
use crate::db::ledger::{Lineage, Numbered, instances};
use crate::domain::{InstanceId, Result, SiteId, Timestamp};

/// Numbers that only a lost branch has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The instance that they belong to.
    pub instance: InstanceId,
    /// Whether the instance itself is on the shown line: then it told them above where the next one began.
    pub is_on_line: bool,
    /// What is numbered.
    pub kind: Numbered,
    /// First of them.
    pub first: u64,
    /// Last of them.
    pub last: u64,
    /// When the newest package of the instance was made.
    pub made_at: Option<Timestamp>,
}

/// Returns what lost branches of a site told.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn lost(connection: &Connection, site: &SiteId, line: &Lineage) -> Result<Vec<Lost>> {
    let mut found = Vec::new();
    for instance in instances(connection, site)? {
        let is_on_line = line.instances().iter().any(|on| on.id == instance.id);
        for kind in [Numbered::Records, Numbered::Receipts, Numbered::Audit] {
            let owned = line.split(kind, 1, u64::MAX);
            let shown_to = owned
                .iter()
                .find(|owned| owned.instance == instance.id)
                .map_or(0, |owned| owned.last);
            for (first, last) in told(connection, instance.id, kind)? {
                let first = first.max(shown_to.saturating_add(1));
                if first <= last {
                    found.push(Lost {
                        instance: instance.instance.clone(),
                        is_on_line,
                        kind,
                        first,
                        last,
                        made_at: newest(connection, instance.id)?.map(|newest| newest.made_at),
                    });
                }
            }
        }
    }
    Ok(found)
}
