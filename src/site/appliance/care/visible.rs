//! Names that are hidden, and that clients of other scopes see once releases are gone: with the last one of a scope its claims end, and who
//! had content first may be another one (D18 c). A person is told before.

use std::collections::BTreeSet;

use crate::appliance::{Appliance, Hidden};
use crate::db::Connection;
use crate::db::site::release::{self, ReleaseId, ReleaseRow, State};
use crate::db::site::removal;
use crate::domain::Result;

/// Returns in words what of the releases that stay is hidden now, and would not be without these.
///
/// # Errors
///
/// Those of the database.
pub(super) fn becoming_visible(appliance: &Appliance, going: &[ReleaseId]) -> Result<Vec<String>> {
    if going.is_empty() {
        return Ok(Vec::new());
    }
    let live = appliance.db.read(release::active)?;
    let live: Vec<ReleaseRow> = live
        .into_iter()
        .filter(|release| !going.contains(&release.id))
        .collect();
    let before = appliance.db.read(|connection| hidden(appliance, connection, &live))?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let after = appliance.db.rehearse(|transaction| {
        removal::remove(transaction, going)?;
        hidden(appliance, transaction, &live)
    })?;
    Ok(before.difference(&after).cloned().collect())
}

fn hidden(appliance: &Appliance, connection: &Connection, releases: &[ReleaseRow]) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for release in releases.iter().filter(|release| release.state == State::Active) {
        let Hidden { tags, hosts } = appliance.hidden_in(connection, release)?;
        let scope = &release.scope;
        all.extend(
            tags.iter()
                .map(|tag| format!("{}:{} of {scope}", tag.repository, tag.tag)),
        );
        all.extend(
            hosts
                .iter()
                .map(|host| format!("everything of {scope} below {}", host.host)),
        );
    }
    Ok(all)
}
